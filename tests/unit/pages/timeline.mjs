/** Runs the archive's timeline on lines from stdin: JSON in, JSON out. Its argument is its file. */
import { readFileSync } from "node:fs";

const source = readFileSync(process.argv[2], "utf8");
const { gaps, lags } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
const { lines, started } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify({ gaps: gaps(lines), lags: lags(lines, started) }));
