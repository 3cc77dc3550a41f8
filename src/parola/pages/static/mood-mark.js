/** A quiet mark of how the talk sounds, for readers who switched it on. */

import { t } from "./i18n.js";
import { moodOf, SIGNS } from "./mood.js";

/** A hall full of phones asks this often; the server answers from memory. */
const EVERY_MS = 10_000;

export class MoodMark {
  #element;
  #room = "";
  #mood = null;
  #timer = null;

  /** @param {HTMLElement} element  Hidden while there is nothing to say. */
  constructor(element) {
    this.#element = element;
  }

  /** @param {string} room  What to look at; "": nothing is asked, and nothing shown. */
  watch(room) {
    if (room === this.#room) return this.#show();
    this.#room = room;
    this.#mood = null;
    clearInterval(this.#timer);
    this.#timer = room ? setInterval(() => this.#look(), EVERY_MS) : null;
    this.#look();
  }

  async #look() {
    const room = this.#room;
    const mood = room && !document.hidden ? await moodOf(room) : this.#mood;
    if (room !== this.#room) return;
    this.#mood = room ? mood : null;
    this.#show();
  }

  #show() {
    const mood = this.#mood;
    this.#element.hidden = !mood;
    const text = mood ? `${SIGNS[mood.label]} ${t(`mood-${mood.label}`)}` : "";
    if (this.#element.textContent !== text) this.#element.textContent = text;
  }
}
