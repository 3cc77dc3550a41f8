/**
 * Reads one room for as long as the page is open, and misses nothing.
 *
 * A connection may end at any time; the feed comes back and asks for what came after the greatest
 * log number it has seen. It gives up only when the server says that trying again is pointless.
 */

/** The first attempt comes soon, for a blink of the network; the others leave the server room. */
const FIRST_RETRY_MS = 500;
const RETRY_MS = 3000;

/** Up to this share is added to a wait, so that a hall full of phones does not return as one. */
const JITTER = 0.25;

/** Whatever a server asks for, nobody waits longer than this before trying again. */
const LONGEST_SPREAD_S = 60;

/** A browser may wait minutes for a host that does not answer; a reader should not. */
const OPEN_WITHIN_MS = 10_000;

/** A connection that lived this long was a good one: the next break is a new break. */
const PROVEN_AFTER_MS = 5000;

/** A phone that slept this long has lost its connection, whatever the browser believes. */
const ASLEEP_MS = 20_000;

/** Close codes, RFC 6455 section 7.4.1 and the IANA registry. */
const POLICY = 1008;
const MOVING = 1012;

/** What people do to a final: messages that name it in `of`. */
const EDITS = ["correction", "strike", "restore"];

/**
 * @typedef {"connecting"|"open"|"lost"|"refused"} Link
 *   "lost" heals by itself, "refused" never does.
 *
 * @typedef {object} Listener
 * @property {(frame: object) => void} onSegment
 * @property {(frame: object) => void} [onState]
 * @property {(frame: object) => void} [onChange]
 * @property {(frame: object) => void} [onEdit]
 * @property {(link: Link, reason: string) => void} [onLink]
 */

export class Feed {
  #url;
  #listener;
  #socket = null;
  #timer = 0;
  #openedAt = 0;
  #failures = 0;
  #hiddenAt = 0;
  #greatest = 0;
  #lastAt = "";
  #beatMs = 0;
  #spreadMs = 0;
  #ended = new AbortController();
  #link = "connecting";

  /**
   * @param {string} room
   * @param {Listener} listener
   * @param {{partial?: boolean}} [wish]
   */
  constructor(room, listener, { partial = false } = {}) {
    this.#listener = listener;
    this.#url = new URL(`/ws/transcript/${encodeURIComponent(room)}`, location.href);
    this.#url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.#url.searchParams.set("partial", String(partial));
    this.#url.searchParams.set("v", "1");
  }

  /** Starts reading. Call it once. */
  open() {
    const { signal } = this.#ended;
    // A change of network kills connections without telling them. Asking again costs little, as
    // only what was missed is sent; waiting for a dead connection costs the reader everything.
    window.addEventListener("online", () => this.#renew(0), { signal });
    window.addEventListener("offline", () => this.#renew(FIRST_RETRY_MS), { signal });
    // Back from the browser's page cache: every connection was closed on the way in.
    window.addEventListener("pageshow", (event) => event.persisted && this.#renew(0), { signal });
    document.addEventListener("visibilitychange", () => this.#woke(), { signal });
    this.#listener.onLink?.("connecting", "");
    this.#connect();
  }

  /** Ends reading; nothing is reported any more. */
  close() {
    this.#ended.abort();
    this.#drop();
  }

  #connect() {
    this.#drop();
    if (this.#greatest) this.#url.searchParams.set("after", String(this.#greatest));
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#openedAt = 0;
    this.#expectWithin(OPEN_WITHIN_MS);
    socket.onopen = () => {
      this.#openedAt = Date.now();
      this.#expectWithin(this.#beatMs);
      this.#say("open");
    };
    socket.onmessage = ({ data }) => {
      this.#expectWithin(this.#beatMs);
      this.#take(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (code === POLICY) {
        this.close();
        this.#say("refused", reason);
        return;
      }
      this.#again((code === MOVING ? 0 : this.#patience()) + Math.random() * this.#spreadMs);
    };
  }

  /** Lets go of the connection without waiting for the other side, which may be gone. */
  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#socket = null;
  }

  /** Treats the connection as dead if nothing comes within this time; 0 means no such promise. */
  #expectWithin(ms) {
    clearTimeout(this.#timer);
    if (ms) this.#timer = setTimeout(() => this.#again(this.#patience()), ms);
  }

  #patience() {
    if (this.#openedAt && Date.now() - this.#openedAt > PROVEN_AFTER_MS) this.#failures = 0;
    this.#failures += 1;
    return this.#failures === 1 ? FIRST_RETRY_MS : RETRY_MS;
  }

  #again(waitMs) {
    this.#drop();
    if (this.#link !== "connecting") this.#say("lost");
    const jitterMs = Math.random() * JITTER * Math.max(waitMs, FIRST_RETRY_MS);
    this.#timer = setTimeout(() => this.#connect(), waitMs + jitterMs);
  }

  #renew(waitMs) {
    this.#failures = 0;
    this.#again(waitMs);
  }

  #woke() {
    if (document.hidden) {
      this.#hiddenAt = Date.now();
    } else if (this.#hiddenAt && Date.now() - this.#hiddenAt > ASLEEP_MS) {
      this.#renew(0);
    }
  }

  #take(data) {
    const frame = JSON.parse(data);
    if (frame.type === "state") {
      // A server may promise to send something at least this often; twice that is dead.
      this.#beatMs = frame.beat_s > 0 ? frame.beat_s * 2000 : 0;
      this.#expectWithin(this.#beatMs);
      // The more read along, the longer they should take to come back all together.
      this.#spreadMs = Math.min(Math.max(0, frame.retry_s || 0), LONGEST_SPREAD_S) * 1000;
      this.#listener.onState?.(frame);
    } else if (frame.type === "segment" && frame.is_partial) {
      this.#listener.onSegment(frame);
    } else if (frame.type === "segment" && this.#isNew(frame)) {
      this.#listener.onSegment(frame);
    } else if (frame.type === "change" && this.#isNew(frame)) {
      this.#listener.onChange?.(frame);
    } else if (EDITS.includes(frame.type) && this.#isNew(frame)) {
      this.#listener.onEdit?.(frame);
    }
  }

  /**
   * Tells whether an entry of the log was not seen before, and remembers it.
   *
   * A small number with a later time is no repetition: within one log both only grow, so this is
   * a new log (an emptied or lost store). A screen that dropped it would stay silent for ever.
   */
  #isNew({ seq, at = "" }) {
    // Off the record: it has no number, comes once, and is in no log.
    if (seq === null) return true;
    if (seq <= this.#greatest && at <= this.#lastAt) return false;
    this.#greatest = seq;
    this.#lastAt = at;
    return true;
  }

  #say(link, reason = "") {
    if (link === this.#link && !reason) return;
    this.#link = link;
    this.#listener.onLink?.(link, reason);
  }
}
