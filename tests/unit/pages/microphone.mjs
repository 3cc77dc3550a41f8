/**
 * Runs the microphone page's sound parts without a browser: a JSON list of jobs on stdin, the
 * results on stdout. Its argument is the folder of the pages' scripts.
 */
import { readFileSync } from "node:fs";

// Not by path: without a package.json beside it, node takes a ".js" for the older kind of module.
const load = (name) =>
  import(`data:text/javascript,${encodeURIComponent(readFileSync(`${process.argv[2]}/${name}`))}`);
const { Resampler } = await load("resampler.js");
const { Spool } = await load("spool.js");

const JOBS = {
  /** Resamples base64 float32 samples, fed in pieces of these lengths again and again. */
  resample({ rate, samples, cuts }) {
    const input = new Float32Array(new Uint8Array(Buffer.from(samples, "base64")).buffer);
    const resampler = new Resampler(rate);
    const out = [];
    for (let at = 0, n = 0; at < input.length; n++) {
      const piece = cuts[n % cuts.length];
      out.push(...resampler.feed(input.subarray(at, at + piece)));
      at += piece;
    }
    out.push(...resampler.flush());
    return out;
  },

  /** Lets a spool take steps; each answers with what is to be seen of it. */
  spool({ position, most, steps }) {
    const spool = new Spool(position, most);
    return steps.map(({ append, safe, from }) => {
      let found = null;
      if (append) spool.append(Int16Array.from(append));
      else if (safe !== undefined) spool.safe(safe);
      else found = spool.from(from);
      const { first, end, dropped } = spool;
      return { first, end, dropped, found: found && [...found] };
    });
  },
};

const jobs = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(jobs.map(({ job, ...rest }) => JOBS[job](rest))));
