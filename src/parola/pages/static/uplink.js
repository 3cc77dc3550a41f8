/**
 * Carries one talk's sound to the server and loses none: the source's side of docs/reference/protocol.md.
 *
 * After any break it comes back with the same session, and sends again from where the server is.
 */

import { RATE_HZ } from "./resampler.js";

const FIRST_RETRY_MS = 500;
const RETRY_MS = 3000;

/** Bytes that may wait in the socket: two seconds. The rest waits in the spool. */
const MOST_WAITING = 65_536;

/** How often a full socket is looked at. */
const LOOK_MS = 100;

/** A server that takes nothing, or does not answer, for so long is gone without a word. */
const DEAD_MS = 8000;

/** Close codes, RFC 6455 section 7.4.1 and the IANA registry. */
const NORMAL = 1000;
const POLICY = 1008;
const MOVING = 1012;

/** What a talk that has not begun is refused for: trying again is the speaker's decision. */
const NOT_NOW = new Set(["room_busy", "server_full"]);

/**
 * @typedef {"connecting"|"open"|"lost"|"refused"|"done"} Link
 *   "lost" heals by itself; "refused" and "done" are the end.
 *
 * @typedef {object} Listener
 * @property {(link: Link, reason: string) => void} link
 * @property {(position: number) => void} safe
 * @property {(state: string, detail: string) => void} state  Of the engine.
 * @property {(isKept: boolean) => void} [recorded]  Whether the room keeps the sound itself.
 */

export class Uplink {
  #talk;
  #spool;
  #listener;
  #socket = null;
  #timer = 0;
  #next = null;
  #waiting = 0;
  #movedAt = 0;
  #reason = { code: "", message: "" };
  #begun = false;
  #failures = 0;
  #ending = false;
  #over = new AbortController();

  /**
   * @param {{session: string, room: string, language: string}} talk
   * @param {import("./spool.js").Spool} spool
   * @param {Listener} listener
   */
  constructor(talk, spool, listener) {
    this.#talk = talk;
    this.#spool = spool;
    this.#listener = listener;
  }

  /** Starts. Call it once. */
  open() {
    const { signal } = this.#over;
    window.addEventListener("online", () => this.#again(0), { signal });
    this.#listener.link("connecting", "");
    this.#connect();
  }

  /** Says that the spool holds more. */
  more() {
    this.#pump();
  }

  /** Says that nothing more will be heard; the link is "done" once all of it is safe. */
  end() {
    this.#ending = true;
    this.#pump();
  }

  /** Whether the server has ever taken sound of this talk from this page. */
  get begun() {
    return this.#begun;
  }

  /** Frames that have not left this browser yet. */
  get unsent() {
    const next = this.#next ?? this.#spool.first;
    return this.#spool.end - next + (this.#socket?.bufferedAmount ?? 0) / 2;
  }

  #connect() {
    this.#drop();
    const address = new URL(`/ws/audio/${encodeURIComponent(this.#talk.room)}`, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.#socket = new WebSocket(address));
    this.#reason = { code: "", message: "" };
    this.#movedAt = performance.now();
    socket.onopen = () => {
      const { session, language } = this.#talk;
      const position = this.#spool.first;
      this.#say({ type: "start", session, language, rate: RATE_HZ, position });
    };
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#timer = setTimeout(() => this.#look(), LOOK_MS);
  }

  #say(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #take(message) {
    this.#movedAt = performance.now();
    if (message.type === "ready") {
      this.#begun = true;
      this.#failures = 0;
      this.#next = message.position;
      // More than this browser ever kept: what was heard then is there, and stays there.
      if (message.position > this.#spool.end) this.#safe(message.position);
      this.#listener.link("open", "");
      this.#listener.recorded?.(message.keeps_sound === true);
      this.#pump();
    } else if (message.type === "ack") {
      this.#safe(message.position);
    } else if (message.type === "state") {
      this.#listener.state(message.state, message.detail);
    } else if (message.type === "error") {
      this.#reason = message;
    }
  }

  #safe(position) {
    this.#spool.safe(position);
    this.#listener.safe(this.#spool.first);
  }

  #pump() {
    const socket = this.#socket;
    if (this.#next === null || socket?.readyState !== WebSocket.OPEN) return;
    // What had to be given up for want of room is a gap that only a new start can leave.
    if (this.#next < this.#spool.first) return void this.#again(0);
    while (socket.bufferedAmount < MOST_WAITING) {
      const pcm = this.#spool.from(this.#next);
      if (!pcm) break;
      socket.send(pcm);
      this.#next += pcm.length;
    }
    if (this.#ending && this.#next === this.#spool.end) {
      this.#say({ type: "end" });
      this.#next = null;
    }
  }

  /** Goes on with a full socket, and notices one that has died without a word. */
  #look() {
    const socket = this.#socket;
    const idle = this.#begun && socket.readyState === WebSocket.OPEN && !socket.bufferedAmount;
    if (idle || socket.bufferedAmount < this.#waiting) this.#movedAt = performance.now();
    this.#waiting = socket.bufferedAmount;
    this.#timer = setTimeout(() => this.#look(), LOOK_MS);
    if (performance.now() - this.#movedAt > DEAD_MS) this.#again(FIRST_RETRY_MS);
    else this.#pump();
  }

  #closed(code, reason) {
    const message = this.#reason.message || reason;
    if (code === NORMAL && this.#ending && this.#next === null) {
      this.#finish("done", "");
    } else if (code === POLICY || (!this.#begun && NOT_NOW.has(this.#reason.code))) {
      this.#finish("refused", message);
    } else {
      this.#failures += 1;
      const waitMs = this.#failures > 1 ? RETRY_MS : FIRST_RETRY_MS;
      this.#again(code === MOVING ? FIRST_RETRY_MS : waitMs, message);
    }
  }

  #again(waitMs, reason = "") {
    this.#drop();
    this.#listener.link("lost", reason);
    this.#timer = setTimeout(() => this.#connect(), waitMs);
  }

  #finish(link, reason) {
    this.#over.abort();
    this.#drop();
    this.#listener.link(link, reason);
  }

  /** Lets go of the connection without waiting for the other side, which may be gone. */
  #drop() {
    clearTimeout(this.#timer);
    this.#next = null;
    this.#waiting = 0;
    const socket = this.#socket;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#socket = null;
  }
}
