/** A room's latest lines, the newest first, each with how long ago it was said. */

import { t } from "./i18n.js";

const MOST = 60;

/** How long nothing may be said before the page says so. */
const QUIET_MS = 120_000;

/** How often the times are brought up to date. */
const LOOK_MS = 1000;

const UNITS = [
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];

export class Messages {
  #list;
  #quiet;
  #newest = 0;
  #ahead = 0;

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} quiet  Shown when nothing was said for two minutes.
   */
  constructor(list, quiet) {
    this.#list = list;
    this.#quiet = quiet;
    setInterval(() => this.look(), LOOK_MS);
  }

  /** Learns the server's time: two clocks rarely agree. */
  setClock(serverMs) {
    this.#ahead = serverMs - Date.now();
  }

  /** Forgets all: another room. */
  clear() {
    this.#newest = 0;
    this.#list.replaceChildren();
    this.look();
  }

  /** Puts a final on top. */
  put({ text, at, speaker, seq }) {
    const item = document.createElement("li");
    const words = document.createElement("p");
    const time = document.createElement("time");
    item.dataset.seq = seq;
    words.dir = "auto";
    if (speaker) {
      const name = document.createElement("b");
      name.textContent = `${speaker}: `;
      words.append(name);
    }
    words.append(text);
    time.dateTime = at;
    item.append(words, time);
    this.#list.prepend(item);
    if (this.#list.childElementCount > MOST) this.#list.lastElementChild.remove();
    this.#newest = Math.max(this.#newest, Date.parse(at));
    this.look();
  }

  /** Brings every time up to date. */
  look() {
    const now = Date.now() + this.#ahead;
    for (const time of this.#list.querySelectorAll("time")) {
      write(time, relative(now - Date.parse(time.dateTime)));
    }
    this.#quiet.hidden = now - this.#newest < QUIET_MS;
  }
}

function relative(ms) {
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  if (ms < 5000) return t("mic-now");
  const [unit, length] = UNITS.find(([, each]) => ms >= each);
  return format.format(-Math.floor(ms / length), unit);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
