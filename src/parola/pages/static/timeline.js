/** Draws a talk: where there was speech, how fast it was, how late its text, and what was corrected. */

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 60;

/** Speech is drawn as bars at the bottom, words per minute as a line above them. */
const BAR = 18;

/** Words per minute at the top of the picture. */
const FASTEST = 240;

/** Over how long the speed is averaged, at most a sixtieth of the talk less. */
const LEAST_S = 10;

/** Seconds of lag at the top of the picture. */
const LATEST_S = 10;

/** A silence this long is worth a number under the picture, in seconds. */
export const GAP_S = 10;

function shape(name, attributes) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/**
 * Returns the picture as SVG.
 *
 * @param {{start_s: number, end_s: number, text: string, made_by: string}[]} lines
 * @param {number[]} late  Seconds of lag of each line; empty where nobody waited for the text.
 * @param {string} title   What it shows, for those who do not see it.
 */
export function timeline(lines, late, title) {
  const length = Math.max(...lines.map(({ end_s: end }) => end), 1);
  const x = (second) => (second / length) * WIDTH;
  const picture = shape("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": title,
  });
  for (const line of lines) {
    picture.append(
      shape("rect", {
        class: line.made_by === "corrected" ? "corrected" : "speech",
        x: x(line.start_s),
        y: HEIGHT - BAR,
        width: Math.max(x(line.end_s - line.start_s), 1),
        height: BAR,
      }),
    );
  }
  picture.append(shape("polyline", { class: "rate", points: rates(lines, length).join(" ") }));
  const lag = late.map((seconds, at) => point(x(lines[at].end_s), seconds / LATEST_S));
  if (lag.length) picture.append(shape("polyline", { class: "lag", points: lag.join(" ") }));
  return picture;
}

function* points(lines, length) {
  const step = Math.max(LEAST_S, length / 60);
  for (let from = 0; from < length; from += step) {
    const to = Math.min(from + step, length);
    // What is left at the end may be too short to have a speed.
    if (from && to - from < step / 2) return;
    const words = lines.reduce((sum, line) => sum + share(line, from, to), 0);
    yield [(from + to) / 2, (words * 60) / (to - from)];
  }
}

/** How many of a line's words were said between two moments, if it was said evenly. */
function share({ start_s: start, end_s: end, text }, from, to) {
  const common = Math.min(end, to) - Math.max(start, from);
  return common <= 0 ? 0 : (text.split(/\s+/).length * common) / Math.max(end - start, 0.1);
}

function rates(lines, length) {
  return [...points(lines, length)].map(([second, rate]) =>
    point((second / length) * WIDTH, rate / FASTEST),
  );
}

/** Returns a place above the bars: a part of the height, 1 at the top. */
function point(x, part) {
  return `${Math.min(x, WIDTH)},${HEIGHT - BAR - 2 - (HEIGHT - BAR - 4) * Math.min(part, 1)}`;
}

/**
 * Returns how many seconds after its last word each line was written; nothing where a recording was
 * written down faster than it was said.
 *
 * @param {{end_s: number, at: string}[]} lines
 * @param {string} startedAt  When the talk began, ISO 8601.
 */
export function lags(lines, startedAt) {
  const began = Date.parse(startedAt);
  const late = lines.map(({ at, end_s: end }) => (Date.parse(at) - began) / 1000 - end);
  return late.some((seconds) => seconds < -1) ? [] : late.map((seconds) => Math.max(seconds, 0));
}

/** Returns how many silences there were, and the longest of them in seconds. */
export function gaps(lines) {
  const found = lines
    .slice(1)
    .map((line, at) => line.start_s - lines[at].end_s)
    .filter((seconds) => seconds >= GAP_S);
  return { count: found.length, longest_s: Math.max(0, ...found) };
}
