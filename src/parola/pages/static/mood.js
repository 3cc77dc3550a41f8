/** How a talk sounds, as the server has read it: in a word with a sign, and as a curve. */

import { ask } from "./requests.js";

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HALF = 20;

/** Told apart by their shapes, not by a colour. */
export const SIGNS = { positive: "▲", negative: "▼", neutral: "–" };

/**
 * Returns how a room's talk sounds, the newest one without a session; null where nobody reads it.
 *
 * @param {string} room
 * @param {string} [session]
 */
export async function moodOf(room, session) {
  const query = session ? `?${new URLSearchParams({ session })}` : "";
  try {
    const path = `/api/rooms/${encodeURIComponent(room)}/mood${query}`;
    const mood = await (await ask("GET", path)).json();
    return mood.read ? mood : null;
  } catch {
    return null; // Not read here, or not to be had now: the text is what the page is for.
  }
}

/** Returns a few words on what the lines are for: "3 questions, 1 complaint". */
export function intents(counts) {
  const told = Object.entries(counts).filter(([name, count]) => count && name !== "other");
  return told
    .map(([name, count]) => `${count} ${name === "thanks" ? "of thanks" : count > 1 ? `${name}s` : name}`)
    .join(", ");
}

function shape(name, attributes) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/**
 * Returns the curve as SVG: a bar for each stretch, upwards from the line where it is positive.
 *
 * @param {{start_s: number, length_s: number, score: number}[]} curve
 * @param {string} title  What it shows, for those who do not see it.
 */
export function drawn(curve, title) {
  const last = curve.at(-1);
  const x = (second) => (second / (last.start_s + last.length_s)) * WIDTH;
  const picture = shape("svg", {
    viewBox: `0 0 ${WIDTH} ${2 * HALF}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": title,
  });
  for (const { start_s: start, length_s: length, score } of curve) {
    const height = Math.abs(score) * HALF;
    picture.append(
      shape("rect", {
        class: "mood",
        x: x(start),
        y: score > 0 ? HALF - height : HALF,
        width: Math.max(x(length) - 1, 1),
        height,
      }),
    );
  }
  picture.append(shape("line", { class: "middle", x1: 0, x2: WIDTH, y1: HALF, y2: HALF }));
  return picture;
}

/** Shows a talk's curve in a figure; without one, the figure stays hidden. */
export async function showCurve(figure, room, session) {
  const mood = await moodOf(room, session);
  if (!mood) return;
  const [up, down] = [mood.curve.filter(({ score }) => score > 0.05), mood.curve.filter(({ score }) => score < -0.05)];
  const told = `${up.length} of ${mood.curve.length} stretches positive, ${down.length} negative`;
  figure.querySelector(".curve").append(drawn(mood.curve, `How it sounds by its words: ${told}`));
  const lines = intents(mood.intents);
  figure.querySelector("figcaption").textContent =
    `How it sounds, by its words alone: up is positive, down negative · ${told}${lines && ` · ${lines}`}`;
  figure.hidden = false;
}
