/**
 * Lays painted words into lines that roll up: a line that has words only ever gets more of them.
 * The same as `live/lines.py`.
 */

/**
 * @typedef {object} Line
 * @property {number} number  Counts all lines ever begun, from 1.
 * @property {{text: string, item: object}[]} parts
 */

export class Lines {
  #most;
  #fits;
  #count = 0;

  /** @type {Line[]} From top to bottom. */
  lines = [];

  /**
   * @param {number} most  How many lines are kept; the oldest leave at the top.
   * @param {(text: string) => boolean} fits  Whether a text is short enough for a line.
   */
  constructor(most, fits) {
    this.#most = most;
    this.#fits = fits;
  }

  /** Puts a word after the others; a segment's end changes nothing. */
  put(item) {
    if (item.kind === "end") return;
    let text = item.speaker ? `${item.speaker}: ${item.text}` : item.text;
    const last = this.lines.at(-1);
    const fresh = !last || item.opens === "speaker" || item.opens === "talk";
    if (!fresh && this.#fits(`${textOf(last)} ${text}`)) {
      last.parts.push({ text, item });
      return;
    }
    // A word wider than a line is cut where the line ends, wherever that is.
    let letters = [...text];
    while (letters.length) {
      let size = letters.length;
      while (size > 1 && !this.#fits(letters.slice(0, size).join(""))) size -= 1;
      this.#count += 1;
      text = letters.slice(0, size).join("");
      this.lines.push({ number: this.#count, parts: [{ text, item }] });
      letters = letters.slice(size);
    }
    while (this.lines.length > this.#most) this.lines.shift();
  }

  /** Lays all words anew, for a window or a letter of another size. */
  again(most) {
    const parts = this.lines.flatMap((line) => line.parts);
    this.#most = most;
    this.lines = [];
    for (const item of new Set(parts.map((part) => part.item))) this.put(item);
  }

  /** The lines from top to bottom. */
  get texts() {
    return this.lines.map(textOf);
  }
}

/** @param {Line} line */
export function textOf(line) {
  return line.parts.map((part) => part.text).join(" ");
}
