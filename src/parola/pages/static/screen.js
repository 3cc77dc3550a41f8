/** Shows one room's lines on a big screen or an overlay: words are added, full lines roll up. */

import { Lines } from "./lines.js";
import { Painter } from "./painter.js";
import { nowS, Reading } from "./reading.js";

/** Lines that the guess may take below the painted ones. */
const GUESS_LINES = 2;

const ROLL_MS = 140;

export class Screen {
  #root;
  #box;
  #guessBox;
  #note;
  #ruler;
  #lines;
  #painter;
  #reading;
  #partial;
  #columns;
  #elements = new Map();
  #reduced = matchMedia("(prefers-reduced-motion: reduce)");

  /**
   * @param {HTMLElement} root  Has `.lines`, `.guess` and `.note` in it.
   * @param {string} room
   * @param {object} how
   * @param {number} how.lines    How many lines at most.
   * @param {number} how.columns  How many letters a line at most.
   * @param {boolean} how.partial Whether the guess is shown after the painted words.
   * @param {object} watcher      As of reading.js; `onItem` is told each painted item.
   */
  constructor(root, room, { lines, columns, partial }, watcher) {
    this.#root = root;
    this.#box = root.querySelector(".lines");
    this.#guessBox = root.querySelector(".guess");
    this.#note = root.querySelector(".note");
    this.#ruler = document.createElement("span");
    this.#ruler.className = "ruler";
    root.append(this.#ruler);
    this.#columns = columns;
    this.#partial = partial;
    root.toggleAttribute("data-partial", partial);
    this.#lines = new Lines(lines, (text) => this.#fits(text));
    const surface = {
      put: (item) => {
        this.#lines.put(item);
        watcher.onItem?.(item);
      },
    };
    this.#painter = new Painter(surface);
    const painted = () => {
      this.#show();
      watcher.painted?.();
    };
    this.#reading = new Reading(room, this.#painter, { ...watcher, painted });
  }

  /** Whether there is nothing to read at all. */
  get isEmpty() {
    return this.#lines.lines.length === 0 && !(this.#partial && this.#painter.guess);
  }

  get isHidden() {
    return this.#painter.isHidden;
  }

  open() {
    this.#reading.open();
  }

  /** Lays everything anew: the window, the letters or the wishes have changed. */
  again({ lines, columns }) {
    this.#columns = columns;
    this.#lines.again(lines);
    this.#box.replaceChildren();
    this.#elements.clear();
    this.#show();
  }

  /** Takes every word off the screen; those to come are shown. */
  clear() {
    this.#lines.lines = [];
    this.#show();
  }

  #fits(text) {
    if ([...text].length > this.#columns) return false;
    this.#ruler.textContent = text;
    return this.#ruler.getBoundingClientRect().width <= this.#box.clientWidth;
  }

  #show() {
    this.#root.toggleAttribute("data-hidden", this.#painter.isHidden);
    const kept = new Set(this.#lines.lines.map((line) => line.number));
    const rolled = [...this.#elements.keys()].some((number) => !kept.has(number));
    for (const [number, { element }] of this.#elements) {
      if (kept.has(number)) continue;
      element.remove();
      this.#elements.delete(number);
    }
    for (const line of this.#lines.lines) this.#grow(line);
    if (rolled && this.#elements.size) this.#roll();
    // Where there is no text, the page itself says why.
    const note = this.#lines.lines.length ? this.#painter.note(nowS()) : "";
    if (this.#note.dataset.note !== note) {
      this.#note.dataset.note = note;
      this.#note.textContent = note && `[${note}]`;
    }
    this.#guess();
  }

  /** Adds what a line has got since; what it had is never touched. */
  #grow({ number, parts }) {
    if (!this.#elements.has(number)) {
      const element = document.createElement("p");
      element.className = "line";
      element.dir = "auto";
      this.#box.append(element);
      this.#elements.set(number, { element, shown: 0 });
    }
    const known = this.#elements.get(number);
    for (; known.shown < parts.length; known.shown += 1) {
      const { text, item } = parts[known.shown];
      if (known.shown) known.element.append(" ");
      known.element.append(wordOf(text, item));
    }
  }

  #roll() {
    if (this.#reduced.matches || document.hidden) return;
    const height = this.#elements.values().next().value.element.offsetHeight;
    this.#box.animate([{ transform: `translateY(${height}px)` }, { transform: "none" }], {
      duration: ROLL_MS,
      easing: "ease-out",
    });
  }

  /** The guess goes on where the painted words end, in lines of its own: it moves nothing. */
  #guess() {
    const words = this.#partial ? this.#painter.guess.split(" ").filter(Boolean) : [];
    const laid = new Lines(Infinity, (text) => this.#fits(text));
    for (const text of words) laid.put({ kind: "word", text });
    const texts = laid.texts.slice(-GUESS_LINES);
    if (this.#guessBox.textContent === texts.join("")) return;
    this.#guessBox.replaceChildren(
      ...texts.map((text) => {
        const line = document.createElement("p");
        line.className = "partial";
        line.dir = "auto";
        line.textContent = text;
        return line;
      }),
    );
  }
}

function wordOf(text, { kind, doubtful, speaker, made_by: madeBy, language }) {
  const word = document.createElement("span");
  word.className = doubtful ? "word doubtful" : kind;
  if (language) word.lang = language;
  if (madeBy && madeBy !== "automatic") word.dataset.madeBy = madeBy;
  if (speaker && text.startsWith(`${speaker}: `)) {
    const name = document.createElement("span");
    name.className = "speaker";
    name.textContent = `${speaker}: `;
    word.append(name, text.slice(speaker.length + 2));
  } else {
    word.textContent = text;
  }
  return word;
}
