/** Shows how loud a microphone is, and says what is wrong with it. */

import { t } from "./i18n.js";

/** Quieter than this is no sound at all: a switch at the microphone. */
const DEAD_DBFS = -75;

/** Quieter than this is hard to understand from. */
const FAINT_DBFS = -50;

/** The bar's left end. */
const LEAST_DBFS = -60;

const CLIPPED_MS = 3000;
const SILENT_MS = 5000;

/** How fast the bar falls, in decibels a chunk; it rises at once. */
const FALL_DB = 3;

export class Meter {
  #bar;
  #note;
  #shown = LEAST_DBFS;
  #clippedAt = -Infinity;
  #loudAt = 0;
  #soundAt = 0;

  /**
   * @param {HTMLElement} bar  Its role is "meter"; its first child is as long as the sound is loud.
   * @param {HTMLElement} note
   */
  constructor(bar, note) {
    this.#bar = bar;
    this.#note = note;
  }

  /** Begins anew: nothing has been heard yet. */
  start() {
    this.#clippedAt = -Infinity;
    this.#loudAt = this.#soundAt = performance.now();
  }

  /** Shows that nothing is heard, on purpose. */
  stop() {
    this.#show(LEAST_DBFS, "");
  }

  /** Takes a tenth of a second. */
  take({ power, peak, clipped }) {
    const now = performance.now();
    const level = decibels(Math.sqrt(power));
    if (clipped) this.#clippedAt = now;
    if (level > FAINT_DBFS) this.#loudAt = now;
    if (decibels(peak) > DEAD_DBFS) this.#soundAt = now;
    this.#show(Math.max(level, this.#shown - FALL_DB), this.#trouble(now));
  }

  #trouble(now) {
    if (now - this.#clippedAt < CLIPPED_MS) return "mic-clipping";
    if (now - this.#soundAt > SILENT_MS) return "mic-dead";
    if (now - this.#loudAt > 2 * SILENT_MS) return "mic-faint";
    return "";
  }

  #show(level, trouble) {
    this.#shown = Math.min(0, Math.max(LEAST_DBFS, level));
    const share = 1 - this.#shown / LEAST_DBFS;
    const bar = this.#bar;
    bar.style.setProperty("--level", share.toFixed(3));
    bar.dataset.trouble = trouble;
    bar.setAttribute("aria-valuenow", Math.round(this.#shown));
    bar.setAttribute("aria-valuetext", `${Math.round(this.#shown)} dB`);
    const text = trouble && t(trouble);
    if (this.#note.textContent !== text) this.#note.textContent = text;
  }
}

const decibels = (size) => (size > 0 ? 20 * Math.log10(size) : -Infinity);
