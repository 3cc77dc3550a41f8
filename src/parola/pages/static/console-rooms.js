/** All rooms at a glance: a card each, which stays where it is and only rewrites what differs. */

import { SIGNS } from "./mood.js";
import { roomWording } from "./words.js";

/** Words per minute are counted over this long. */
const COUNTED_MS = 60_000;

/** A rate out of less than this is a guess. */
const LEAST_MS = 5000;

export class RoomCards {
  #list;
  #template;
  #choose;
  #cards = new Map();
  #counts = new Map();

  /**
   * @param {HTMLElement} list
   * @param {HTMLTemplateElement} template
   * @param {(room: string) => void} choose  Called when a room is to be opened.
   */
  constructor(list, template, choose) {
    this.#list = list;
    this.#template = template;
    this.#choose = choose;
  }

  /**
   * @param {object[]} rooms  As the server lists them.
   * @param {string} open     The room that is open.
   */
  show(rooms, open) {
    const names = new Set(rooms.map(({ name }) => name));
    for (const [name, card] of this.#cards) {
      if (names.has(name)) continue;
      card.remove();
      this.#cards.delete(name);
      this.#counts.delete(name);
    }
    for (const room of rooms) this.#write(this.#cardOf(room.name), room, room.name === open);
  }

  #cardOf(name) {
    if (!this.#cards.has(name)) {
      const card = this.#template.content.firstElementChild.cloneNode(true);
      card.dataset.room = name;
      const button = card.querySelector(".open");
      button.textContent = name;
      button.addEventListener("click", () => this.#choose(name));
      this.#cards.set(name, card);
      this.#list.append(card);
    }
    return this.#cards.get(name);
  }

  #write(card, room, isOpen) {
    const words = roomWording(room.state);
    const state = card.querySelector(".state");
    state.dataset.tone = words.tone;
    write(state.querySelector(".words"), room.detail || words.short);
    card.toggleAttribute("data-open", isOpen);
    card.querySelector(".open").setAttribute("aria-current", String(isOpen));
    card.toggleAttribute("data-alarm", room.alarms.length > 0);
    card.querySelector(".level").value = room.level_dbfs ?? -60;
    write(card.querySelector(".wpm"), this.#rate(room));
    write(card.querySelector(".lag"), room.level_dbfs === null ? "–" : `${room.lag_s.toFixed(1)} s`);
    write(card.querySelector(".viewers"), String(room.viewers));
    write(card.querySelector(".engine"), room.engine || "–");
    card.querySelector(".feeling").hidden = !room.mood;
    write(card.querySelector(".mood"), sound(room.mood));
    const cost = room.cost_usd;
    card.querySelector(".money").hidden = cost === null;
    write(card.querySelector(".cost"), cost === null ? "–" : `$${cost.toFixed(2)}`);
    writeAlarms(card.querySelector(".alarms"), room.alarms);
  }

  #rate({ name, words, level_dbfs: level }) {
    const now = performance.now();
    const counts = this.#counts.get(name) ?? [];
    this.#counts.set(name, counts);
    if (level === null || (counts.length && words < counts.at(-1).words)) counts.length = 0;
    if (level === null) return "–";
    counts.push({ at: now, words });
    while (now - counts[0].at > COUNTED_MS) counts.shift();
    const ms = now - counts[0].at;
    return ms < LEAST_MS ? "…" : String(Math.round(((words - counts[0].words) * 60_000) / ms));
  }
}

/** How the room's newest talk sounds, in two words at most. */
function sound(mood) {
  if (!mood) return "–";
  const about = mood.intent === "other" ? "" : ` · ${mood.intent}`;
  return `${SIGNS[mood.label]} ${mood.label}${about}`;
}

function writeAlarms(list, alarms) {
  const wanted = alarms.map(({ detail }) => detail);
  const shown = [...list.children].map((item) => item.textContent);
  if (wanted.join("\n") === shown.join("\n")) return;
  list.replaceChildren(
    ...wanted.map((detail) => {
      const item = document.createElement("li");
      item.className = "alarm";
      item.textContent = detail;
      return item;
    }),
  );
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
