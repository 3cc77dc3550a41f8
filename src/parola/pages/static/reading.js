/** Brings one room's frames to a painter, each with its age, and paints in time. */

import { Feed } from "./feed.js";

/** How often a state may have to be shown although nothing came. */
const LOOK_MS = 1000;

/**
 * Returns the room of an address such as `/rooms/{room}/phone`, "" where there is none.
 *
 * @throws {URIError} where it holds a broken percent-encoding.
 */
export function roomOfAddress() {
  return decodeURIComponent(location.pathname.split("/")[2] ?? "");
}

/** Reads a yes or no as the server does (pydantic's booleans); anything else is a no. */
export function isYes(text) {
  return ["1", "true", "t", "yes", "y", "on"].includes((text ?? "").toLowerCase());
}

/**
 * @typedef {object} Watcher
 * @property {() => void} painted  Called after anything may have changed on the surface.
 * @property {(frame: object) => void} [onFrame]
 * @property {(edit: object) => void} [onEdit]  Somebody has changed a line.
 * @property {(link: import("./feed.js").Link, reason: string) => void} [onLink]
 */

export class Reading {
  #painter;
  #watcher;
  #feed;
  #timer = 0;
  #looking = 0;
  #connections = 0;
  #serverMs = null;
  #stateAtMs = 0;

  /**
   * @param {string} room
   * @param {import("./painter.js").Painter} painter
   * @param {Watcher} watcher
   */
  constructor(room, painter, watcher) {
    this.#painter = painter;
    this.#watcher = watcher;
    const take = (frame) => this.#take(frame);
    this.#feed = new Feed(
      room,
      {
        onSegment: take,
        onChange: take,
        onState: take,
        onEdit: (edit) => this.#watcher.onEdit?.(edit),
        onLink: (...news) => this.#link(...news),
      },
      { partial: true },
    );
  }

  /** Starts. Call it once. */
  open() {
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    this.#feed.open();
  }

  /** Ends for good. */
  close() {
    clearInterval(this.#looking);
    clearTimeout(this.#timer);
    this.#feed.close();
  }

  #take(frame) {
    if (frame.type === "state" && frame.at) {
      this.#serverMs = Date.parse(frame.at);
      this.#stateAtMs = performance.now();
    }
    this.#painter.take(frame, nowS(), this.#ageOf(frame));
    this.#watcher.onFrame?.(frame);
    this.#look();
  }

  /** Two clocks rarely agree: a frame's age is told by the server's own. */
  #ageOf({ at, is_partial: isPartial }) {
    if (isPartial !== false || !at || this.#serverMs === null) return {};
    const sinceMs = performance.now() - this.#stateAtMs;
    const ageS = Math.max(0, this.#serverMs + sinceMs - Date.parse(at)) / 1000;
    return { ageS, past: this.#connections === 1 && Date.parse(at) <= this.#serverMs };
  }

  #link(link, reason) {
    if (link === "open") this.#connections += 1;
    if (link === "open" || link === "lost") this.#painter.link(link === "open", nowS());
    this.#watcher.onLink?.(link, reason);
    this.#look();
  }

  #look() {
    this.#painter.tick(nowS());
    this.#watcher.painted();
    clearTimeout(this.#timer);
    const due = this.#painter.dueS;
    if (due !== null) this.#timer = setTimeout(() => this.#look(), (due - nowS()) * 1000 + 1);
  }
}

/** Seconds on a clock that only grows. */
export function nowS() {
  return performance.now() / 1000;
}
