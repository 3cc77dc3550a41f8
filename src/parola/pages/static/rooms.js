/** The list of rooms: rows stay where they are, only words that differ are written. */

import { screenOf, transcriptOf } from "./requests.js";
import { ago, roomWording } from "./words.js";

const FORMATS = ["txt", "srt", "vtt", "json"];

export class RoomList {
  #table;
  #body;
  #template;
  #empty;
  #rows = new Map();

  /**
   * @param {object} parts
   * @param {HTMLTableElement} parts.table
   * @param {HTMLTemplateElement} parts.template
   * @param {HTMLElement} parts.empty  Shown instead of an empty table.
   */
  constructor({ table, template, empty }) {
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#template = template;
    this.#empty = empty;
  }

  /**
   * @param {object[]} rooms  As the server lists them.
   * @param {number} now      The server's time in milliseconds since 1970.
   */
  show(rooms, now) {
    const names = new Set(rooms.map((room) => room.name));
    for (const [name, row] of this.#rows) {
      if (!names.has(name)) {
        row.remove();
        this.#rows.delete(name);
      }
    }
    for (const room of rooms) this.#write(this.#rowOf(room.name), room, now);
    this.#table.hidden = rooms.length === 0;
    this.#empty.hidden = rooms.length > 0;
  }

  #rowOf(name) {
    if (!this.#rows.has(name)) {
      const row = this.#template.content.firstElementChild.cloneNode(true);
      row.dataset.room = name;
      const link = row.querySelector(".name");
      link.textContent = name;
      link.href = screenOf(name);
      row.querySelector(".files").append(...FORMATS.map((format) => download(name, format)));
      this.#rows.set(name, row);
      this.#body.append(row);
    }
    return this.#rows.get(name);
  }

  #write(row, room, now) {
    const words = roomWording(room.state);
    const state = row.querySelector(".state");
    if (state.dataset.tone !== words.tone) state.dataset.tone = words.tone;
    write(state.querySelector(".words"), inWords(words, room));
    write(row.querySelector(".language"), room.language);
    write(row.querySelector(".viewers"), String(room.viewers));
    const last = room.last_at ? ago((now - Date.parse(room.last_at)) / 1000) : "none yet";
    write(row.querySelector(".last"), last);
    // Until something is in the log there is no transcript to fetch.
    for (const link of row.querySelector(".files").children) link.hidden = room.entries === 0;
  }
}

function inWords(words, room) {
  const playing = room.playing ? `Playing ${room.playing.name}` : "";
  const said = [words.tone === "bad" || !playing ? words.short : playing];
  if (words.tone === "bad" && room.detail) said.push(room.detail);
  return said.join(". ");
}

function download(name, format) {
  const link = document.createElement("a");
  link.href = transcriptOf(name, format);
  link.textContent = `.${format}`;
  link.setAttribute("aria-label", `Transcript of ${name} as ${format}`);
  return link;
}

/** Writes only what differs: a selection stays selected, and nothing blinks. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
