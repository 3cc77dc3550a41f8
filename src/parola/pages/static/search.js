/** Finds words in the text of a talk, and brings the reader from one to the next. */

import { t } from "./i18n.js";

/** "perché" is found by "perche", whatever the case. */
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

export class Search {
  #query;
  #found;
  #text;
  #hold;
  #reach;
  #hits = [];
  #at = -1;
  #wanted = "";

  /**
   * @param {object} parts
   * @param {HTMLFormElement} parts.form     Its submission goes to the next hit.
   * @param {HTMLInputElement} parts.query
   * @param {HTMLElement} parts.found        Says how many there are.
   * @param {HTMLElement} parts.previous
   * @param {HTMLElement} parts.text         Has `.final` in it.
   * @param {() => void} parts.hold          Asked to stop following new text.
   * @param {() => Promise<void>} parts.reach  Asked to load the whole talk.
   */
  constructor({ form, query, found, previous, text, hold, reach }) {
    this.#query = query;
    this.#found = found;
    this.#text = text;
    this.#hold = hold;
    this.#reach = reach;
    query.addEventListener("input", () => this.look());
    previous.addEventListener("click", () => this.#go(-1));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#go(1);
    });
  }

  /** Looks again for what is asked; the newest hit is the first to be shown. */
  async look() {
    const wanted = plain(this.#query.value.trim());
    this.#wanted = wanted;
    if (wanted) await this.#reach();
    if (this.#wanted !== wanted) return; // Somebody typed on meanwhile.
    this.#clear();
    if (!wanted) return;
    const finals = [...this.#text.querySelectorAll(".final")];
    this.#hits = finals.filter((final) => plain(final.textContent).includes(wanted));
    for (const hit of this.#hits) hit.dataset.hit = "";
    this.#at = this.#hits.length;
    this.#go(-1);
  }

  /** Ends the search, and takes its marks away. */
  end() {
    this.#clear();
  }

  #clear() {
    for (const hit of this.#hits) delete hit.dataset.hit;
    this.#hits = [];
    this.#found.textContent = "";
  }

  #go(step) {
    const count = this.#hits.length;
    if (!count) {
      this.#found.textContent = this.#query.value.trim() ? t("found-none") : "";
      return;
    }
    if (this.#hits[this.#at]) this.#hits[this.#at].dataset.hit = "";
    this.#at = (this.#at + step + count) % count;
    this.#found.textContent = t("found", { at: this.#at + 1, count });
    this.#hits[this.#at].dataset.hit = "now";
    this.#hold();
    this.#hits[this.#at].scrollIntoView({ block: "center" });
  }
}
