/**
 * Paints a room's text: one paragraph per final segment, and after them the guess in grey.
 *
 * A painted final is never touched again until it leaves at the top, so the browser has no reason
 * to lay it out anew; only the last block, the guess, may change its words.
 */

export class Painter {
  #finals;
  #guess;
  #keep;
  #cut;
  #session = null;
  #opens = false;
  #speaker = null;
  #lastFinal = null;

  /**
   * @param {HTMLElement} finals  Where paragraphs are appended; announced to screen readers.
   * @param {HTMLElement} guess   The block after it; silent, as half words are noise to the ear.
   * @param {object} bounds
   * @param {() => number} bounds.keep  How many paragraphs to keep, asked after each new one.
   * @param {(pixels: number) => void} [bounds.cut]  Told how much height left at the top.
   */
  constructor(finals, guess, { keep, cut = () => {} }) {
    this.#finals = finals;
    this.#guess = guess;
    this.#keep = keep;
    this.#cut = cut;
    this.withdraw();
  }

  /** How many paragraphs are there. */
  get paragraphs() {
    return this.#finals.childElementCount;
  }

  /** Whether there is nothing to read at all. */
  get isEmpty() {
    return this.paragraphs === 0 && this.#guess.hidden;
  }

  /**
   * Says whose words come next. Another talk's first paragraph is set apart; a talk that goes on
   * after a break is still the same.
   *
   * @param {string} session
   */
  begin(session) {
    this.#lastFinal = null; // Segments count from one again, also after a break.
    if (session === this.#session) return;
    this.#session = session;
    this.#opens = this.paragraphs > 0;
    this.#speaker = null;
    this.withdraw();
  }

  /**
   * Paints a segment frame. A guess takes the place of the guess before it, a final ends it.
   *
   * @param {object} frame
   */
  paint(frame) {
    if (frame.is_partial) {
      // Its final is on the screen already: an echo from before a break.
      if (frame.segment !== this.#lastFinal) this.#guessed(frame);
      return;
    }
    const paragraph = document.createElement("p");
    paragraph.className = "final";
    paragraph.dataset.seq = frame.seq;
    this.#fill(paragraph, frame);
    this.#opens = false;
    this.#speaker = frame.speaker;
    this.#lastFinal = frame.segment;
    this.withdraw();
    this.#finals.append(paragraph);
    this.#forget();
  }

  /** Takes the guess away: nobody stands by it any more. */
  withdraw() {
    this.#guess.hidden = true;
    this.#guess.replaceChildren();
  }

  /** Removes everything, for another room. */
  clear() {
    this.withdraw();
    this.#finals.replaceChildren();
    this.#opens = false;
    this.#session = this.#speaker = this.#lastFinal = null;
  }

  #guessed(frame) {
    if (!frame.text) {
      this.withdraw();
      return;
    }
    this.#fill(this.#guess, frame);
    this.#guess.hidden = false;
  }

  /** Gives a guess and its final the same shape, so that one turns into the other in place. */
  #fill(block, frame) {
    block.lang = frame.language ?? "";
    block.dir = "auto";
    block.toggleAttribute("data-opens", this.#opens);
    const parts = marked(frame);
    if (frame.speaker && frame.speaker !== this.#speaker) {
      const speaker = document.createElement("span");
      speaker.className = "speaker";
      speaker.textContent = `${frame.speaker}: `;
      parts.unshift(speaker);
    }
    block.replaceChildren(...parts);
  }

  #forget() {
    const keep = this.#keep();
    if (this.paragraphs <= keep) return;
    const before = this.#finals.offsetHeight;
    while (this.paragraphs > keep) this.#finals.firstElementChild.remove();
    this.#cut(before - this.#finals.offsetHeight);
  }
}

/**
 * Returns a frame's text with its doubtful words marked, letter by letter as it is: what lies
 * between the words stays. Where the words are not found in the text, it is left unmarked.
 *
 * @param {{text: string, words?: {text: string, doubtful?: boolean}[]}} frame
 */
function marked({ text, words = [] }) {
  const parts = [];
  let done = 0;
  let from = 0;
  for (const word of words) {
    const at = text.indexOf(word.text, from);
    if (at < 0) return [document.createTextNode(text)];
    from = at + word.text.length;
    if (!word.doubtful) continue;
    const doubtful = document.createElement("span");
    doubtful.className = "doubtful";
    doubtful.textContent = word.text;
    parts.push(document.createTextNode(text.slice(done, at)), doubtful);
    done = from;
  }
  parts.push(document.createTextNode(text.slice(done)));
  return parts;
}
