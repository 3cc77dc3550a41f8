/**
 * Runs painter scripts through the pages' painter: a JSON list on stdin, the results on stdout.
 * Its argument is the folder of `painter.js` and `lines.js`.
 */
import { readFileSync } from "node:fs";

// Not by path: without a package.json beside it, node takes a ".js" for the older kind of module.
const load = (name) =>
  import(`data:text/javascript,${encodeURIComponent(readFileSync(`${process.argv[2]}/${name}`))}`);
const { Lines } = await load("lines.js");
const { Painter } = await load("painter.js");

function run({ lines: most, columns, skips = true, steps }) {
  const lines = new Lines(most, (text) => [...text].length <= columns);
  const items = [];
  const surface = { put: (item) => (items.push(item), lines.put(item)) };
  const painter = new Painter(surface, { skips });
  return steps.map((step) => {
    if (step.frame) painter.take(step.frame, step.at, { ageS: step.age, past: step.past });
    else if (step.link !== undefined) painter.link(step.link, step.at);
    else painter.tick(step.at);
    return {
      lines: lines.texts,
      guess: painter.guess,
      note: painter.note(step.at),
      hidden: painter.isHidden,
      due: painter.dueS,
      items: items.splice(0),
    };
  });
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(run)));
