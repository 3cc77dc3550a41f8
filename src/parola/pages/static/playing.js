/** Marks what is being said while a talk's sound plays, and plays from where somebody points. */

/** @typedef {{seq: number, start_s: number, words: {text: string, start_s: number}[]}} Line */

export class Playing {
  #sound;
  #list;
  #lines = [];
  #line = null;
  #word = null;

  /**
   * @param {HTMLAudioElement} sound  Hidden while there is nothing to play.
   * @param {HTMLElement} list        Its items have data-seq, its words data-at.
   */
  constructor(sound, list) {
    this.#sound = sound;
    this.#list = list;
    sound.addEventListener("play", () => this.#follow());
    sound.addEventListener("seeked", () => this.#mark());
    list.addEventListener("click", ({ target }) => {
      const at = target.closest("[data-at]");
      if (at && !getSelection().toString()) this.from(Number(at.dataset.at));
    });
  }

  /** @param {Line[]} lines  In order. */
  set lines(lines) {
    this.#lines = lines;
  }

  /** Plays from a second on, where there is something to play. */
  from(second) {
    if (this.#sound.hidden) return;
    this.#sound.currentTime = second;
    // Somebody may pause before it has begun; what cannot be played is an event of its own.
    this.#sound.play().catch(() => {});
  }

  /** Marks a line as the one that is read. */
  show(line) {
    if (line === this.#line) return;
    this.#line = line;
    for (const item of this.#list.querySelectorAll("[aria-current]")) {
      item.removeAttribute("aria-current");
    }
    const item = this.#list.querySelector(`[data-seq="${line.seq}"]`);
    item?.setAttribute("aria-current", "true");
    if (!this.#sound.paused) item?.scrollIntoView({ block: "nearest" });
  }

  #follow() {
    this.#mark();
    if (!this.#sound.paused) requestAnimationFrame(() => this.#follow());
  }

  #mark() {
    const now = this.#sound.currentTime;
    const line = this.#lines.findLast(({ start_s: start }) => start <= now);
    if (!line) return;
    this.show(line);
    const at = line.words.findLastIndex(({ start_s: start }) => start <= now);
    const item = this.#list.querySelector(`[data-seq="${line.seq}"]`);
    const word = item?.querySelectorAll("[data-at]")[at];
    if (word === this.#word) return;
    this.#word?.classList.remove("now");
    word?.classList.add("now");
    this.#word = word;
  }
}

/**
 * Returns a line's text as words that know their time; as plain text where words and times do not
 * belong together.
 *
 * @param {Line & {text: string}} line
 * @returns {(Node|string)[]}
 */
export function timed({ text, words }) {
  const shown = text.split(/\s+/).filter(Boolean);
  if (shown.length !== words.length) return [text];
  return shown.flatMap((word, at) => {
    const span = document.createElement("span");
    span.dataset.at = words[at].start_s;
    span.textContent = word;
    return at ? [" ", span] : [span];
  });
}
