/** Says painted text to a screen reader, a sentence at a time, in one polite live region. */

/** A sentence that nobody ends is said after so long. */
const UNENDED_MS = 8000;

/** Sentences that stay in the region; what was said is of no use there. */
const KEEP = 5;

const SENTENCES = /[^.!?…。！？]*[.!?…。！？]+["'”’»)\]]*\s*|[^.!?…。！？]+$/gu;
const MARKS = /[.!?…。！？]/u;
const ENDED = /[.!?…。！？]["'”’»)\]]*\s*$/u;

export class Announcer {
  #region;
  #text = "";
  #speaker = "";
  #punctuates = false;
  #timer = 0;

  /** @param {HTMLElement} region  Has `aria-live="polite"`. */
  constructor(region) {
    this.#region = region;
  }

  /** Takes a painted item; at a segment's end its sentences are said. */
  put({ kind, text, speaker }) {
    if (speaker) this.#speaker = `${speaker}: `;
    if (kind === "end") this.#ended(text);
  }

  #ended(text) {
    clearTimeout(this.#timer);
    // The final's own words: those painted before it may lack its punctuation.
    this.#text = `${this.#text}${this.#speaker}${text.trim()} `;
    this.#speaker = "";
    this.#punctuates ||= MARKS.test(text);
    const sentences = this.#text.match(SENTENCES) ?? [];
    this.#text = "";
    // An engine that writes no punctuation has a sentence a segment.
    if (this.#punctuates && sentences.length && !ENDED.test(sentences.at(-1))) {
      this.#text = sentences.pop();
      this.#timer = setTimeout(() => this.#flush(), UNENDED_MS);
    }
    sentences.forEach((sentence) => this.#say(sentence.trim()));
  }

  #flush() {
    const text = this.#text.trim();
    this.#text = "";
    this.#say(text);
  }

  #say(sentence) {
    if (!sentence) return;
    const line = document.createElement("p");
    line.textContent = sentence;
    this.#region.append(line);
    while (this.#region.childElementCount > KEEP) this.#region.firstElementChild.remove();
  }
}
