/** What an engine wrote into the open room and nobody was shown: the operator may look. */

import { withheld } from "./operate.js";

/** How many stay on the page; a noisy room has thousands. */
const KEEP = 100;

const WHY = {
  "no speech": "no speech under it",
  "too fast": "more letters than can be said so fast",
  "not confident": "little speech, and the engine was unsure",
};

export class WithheldList {
  #box;
  #count;
  #report;
  #room = "";
  #seen = -1;

  /**
   * @param {HTMLDetailsElement} box  Has the count, the list and a word for an empty one.
   * @param {(work: () => Promise<void>) => Promise<boolean>} report  Does, and tells of failures.
   */
  constructor(box, report) {
    this.#box = box;
    this.#count = box.querySelector("#withheld-count");
    this.#report = report;
    box.addEventListener("toggle", () => this.#look());
  }

  /**
   * Says how many words were withheld in the open room since it was entered.
   *
   * @param {string} room
   * @param {number} words
   */
  show(room, words) {
    if (room === this.#room && words === this.#seen) return;
    if (room !== this.#room) this.#write([]);
    this.#room = room;
    this.#seen = words;
    this.#count.textContent = String(words);
    this.#look();
  }

  async #look() {
    if (!this.#box.open || !this.#room) return;
    const room = this.#room;
    await this.#report(async () => {
      const lines = await withheld(room);
      if (room === this.#room) this.#write(lines.slice(-KEEP).reverse());
    });
  }

  #write(lines) {
    this.#box.querySelector("#withheld-none").hidden = lines.length > 0;
    this.#box.querySelector("#withheld").replaceChildren(
      ...lines.map(({ at, text, reason }) => {
        const item = document.createElement("li");
        const words = document.createElement("span");
        words.dir = "auto";
        words.textContent = text;
        const why = document.createElement("small");
        why.textContent = ` ${new Date(at).toLocaleTimeString()}: ${WHY[reason] ?? reason}`;
        item.append(words, why);
        return item;
      }),
    );
  }
}
