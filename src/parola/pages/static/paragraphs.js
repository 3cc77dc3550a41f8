/**
 * Shows painted items as text to be read back: paragraphs of segments, as long as the page is open.
 *
 * A painted word is never touched again, unless a person corrects its line; the guess has a block of
 * its own after all others.
 */

/** A paragraph is this long at least, in letters, before another one begins at a sentence's end. */
const LONG = 140;

/** How many edits of lines that are not on the page are remembered. */
const EARLY = 50;

const ENDED = /[.!?…。！？]["'”’»)\]]*$/u;

export class Paragraphs {
  #root;
  #guess;
  #keep;
  #cut;
  #arrived;
  #paragraph = null;
  #final = null;
  #early = new Map();

  /**
   * @param {HTMLElement} root   Where paragraphs are appended.
   * @param {HTMLElement} guess  The block after it; silent, as half words are noise to the ear.
   * @param {object} bounds
   * @param {() => number} bounds.keep  How many paragraphs to keep, asked after each new one.
   * @param {(pixels: number) => void} [bounds.cut]  Told how much height left at the top.
   * @param {() => void} [bounds.arrived]  Told that a segment is complete.
   */
  constructor(root, guess, { keep, cut = () => {}, arrived = () => {} }) {
    this.#root = root;
    this.#guess = guess;
    this.#keep = keep;
    this.#cut = cut;
    this.#arrived = arrived;
  }

  /** Whether there is nothing to read at all. */
  get isEmpty() {
    return this.#root.childElementCount === 0 && this.#guess.hidden;
  }

  /** Puts an item after all others. */
  put(item) {
    if (item.kind === "end") {
      // The place of a struck line, which may come back.
      if (!this.#final && item.seq !== null && !item.text) this.#begin(item);
      if (this.#final && item.seq !== null) this.#final.dataset.seq = item.seq;
      if (this.#final && item.made_by !== "automatic") this.#final.dataset.madeBy = item.made_by;
      this.#final = null;
      if (this.#early.has(item.seq)) this.edit(this.#early.get(item.seq));
      this.#arrived();
      return;
    }
    if (!this.#final || this.#final.dataset.segment !== item.segment || breaks(item)) {
      this.#begin(item);
    }
    if (this.#final.hasChildNodes()) this.#final.append(" ");
    if (item.speaker) this.#final.append(labelled("speaker", `${item.speaker}: `));
    const name = item.kind === "mark" ? "mark" : item.doubtful && "doubtful";
    this.#final.append(name ? labelled(name, item.text) : item.text);
  }

  /** Puts a line right where it stands: a correction, a strike or a restore of the protocol. */
  edit(edit) {
    const final = this.#root.querySelector(`.final[data-seq="${edit.of}"]`);
    if (!final) {
      // It may not be painted yet; of the others, long gone, only a few are remembered.
      this.#early.set(edit.of, edit);
      if (this.#early.size > EARLY) this.#early.delete(this.#early.keys().next().value);
      return;
    }
    this.#early.delete(edit.of);
    const speaker = final.querySelector(".speaker");
    final.replaceChildren(...(speaker ? [speaker] : []), edit.text ?? "");
    final.hidden = edit.type === "strike";
    final.dataset.madeBy = "corrected";
  }

  /** Shows the guess, "" for none. */
  guess(text) {
    if (this.#guess.textContent !== text) this.#guess.textContent = text;
    this.#guess.hidden = !text;
  }

  /** Removes everything, for another room. */
  clear() {
    this.guess("");
    this.#root.replaceChildren();
    this.#paragraph = this.#final = null;
  }

  /**
   * Puts what was said earlier before everything else.
   *
   * @param {{seq: number, text: string, language: string, speaker: string|null}[]} segments
   * @returns {number} How many pixels that takes.
   */
  prepend(segments) {
    const before = this.#root.offsetHeight;
    const paragraphs = segments.map(({ seq, text, language, speaker }) => {
      const paragraph = block(language);
      const final = finalOf({ segment: "", language });
      final.dataset.seq = seq;
      if (speaker) final.append(labelled("speaker", `${speaker}: `));
      final.append(text);
      paragraph.append(final);
      return paragraph;
    });
    this.#root.prepend(...paragraphs);
    return this.#root.offsetHeight - before;
  }

  #begin(item) {
    const text = this.#paragraph?.textContent ?? "";
    const goesOn = this.#paragraph && !breaks(item) && !(text.length > LONG && endsWell(text));
    if (!goesOn) {
      this.#paragraph = block(item.language);
      if (item.opens === "talk") this.#paragraph.dataset.opens = "";
      this.#root.append(this.#paragraph);
      this.#forget();
    } else {
      this.#paragraph.append(" ");
    }
    this.#final = finalOf(item);
    this.#paragraph.append(this.#final);
  }

  #forget() {
    const keep = this.#keep();
    if (this.#root.childElementCount <= keep) return;
    const before = this.#root.offsetHeight;
    while (this.#root.childElementCount > keep) this.#root.firstElementChild.remove();
    this.#cut(before - this.#root.offsetHeight);
  }
}

const breaks = ({ opens }) => opens === "talk" || opens === "speaker";

/** Without punctuation, as from some engines, any segment's end will do. */
const endsWell = (text) => ENDED.test(text) || text.length > 2 * LONG;

function block(language) {
  const paragraph = document.createElement("p");
  paragraph.className = "paragraph";
  paragraph.dir = "auto";
  if (language) paragraph.lang = language;
  return paragraph;
}

function finalOf({ segment, language }) {
  const final = document.createElement("span");
  final.className = "final";
  final.dataset.segment = segment;
  if (language) final.lang = language;
  return final;
}

function labelled(name, text) {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = text;
  return span;
}
