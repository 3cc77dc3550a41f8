/**
 * Decides which words a reader sees when, from a room's frames; what is painted never changes.
 *
 * The same rules as `live/painter.py`, line by line, where they are explained; the same scripts
 * test both. Time is an argument, in seconds.
 */

const CALM_S = 0.3;
const BRISK_S = 0.2;
const BRISK_AFTER_S = 1;
const CATCH_UP_S = 0.1;
const CATCH_UP_AFTER_S = 3;
const LATE_S = 10;
const IDLE_S = 30;
const LOST_S = 3;

export const SKIPPED = "[…]";
const CORRECTED = "--";
const RECONNECTING = "reconnecting";
const OFF_RECORD = "off_record";
const HIDDEN = "hidden";

/** What is shown of a room's state after `IDLE_S` without words; off the record, at once. */
const NOTES = {
  idle: "captions paused",
  waiting: "pause",
  listening: "pause",
  unsaved: "pause",
  recovering: "one moment",
  failed: "captions unavailable",
  paused: "captions paused",
  off_record: "off the record",
};

/**
 * @typedef {object} Item  One thing to put after what is painted.
 * @property {"word"|"mark"|"end"} kind
 * @property {string} text      An end's is the whole final; it is not to be painted.
 * @property {string} segment   Session and number; empty for marks that belong to none.
 * @property {""|"segment"|"speaker"|"talk"} opens
 * @property {string} speaker   Only where the speaker changes.
 * @property {string} made_by
 * @property {string} language
 * @property {boolean} doubtful It was said, but may be another word.
 * @property {number|null} seq  The segment's number in the log, known at its end.
 */

const item = (kind, text, segment = "", more = {}) => ({
  kind,
  text,
  segment,
  opens: "",
  speaker: "",
  made_by: "automatic",
  language: "",
  doubtful: false,
  seq: null,
  ...more,
});

export class Painter {
  #surface;
  #skips;
  #waiting = [];
  #nextS = -Infinity;
  #paintedS = -Infinity;
  #state = "idle";
  #session = "";
  #speaker = "";
  #opens = "";
  #anything = false;
  #skipped = false;
  #lostS = null;
  #segment = "";
  #closed = "";
  #utterance = 0;
  #words = [];
  #out = 0;
  #saidUntilS = Infinity;
  #unsure = [];

  /**
   * @param {{put: (item: Item) => void}} surface
   * @param {{skips?: boolean}} [how]  Without `skips`, for readers who scroll back, late words
   *   come at once instead of never.
   */
  constructor(surface, { skips = true } = {}) {
    this.#surface = surface;
    this.#skips = skips;
  }

  /**
   * Takes a frame of the protocol.
   *
   * @param {object} frame
   * @param {number} nowS
   * @param {{ageS?: number, past?: boolean}} [when]  How long ago it was said; `past`: before the
   *   reader came, so it is painted at once.
   */
  take(frame, nowS, { ageS = 0, past = false } = {}) {
    this.tick(nowS);
    if (frame.type === "state") this.#state = frame.state;
    else if (frame.type === "change" && frame.change === "session_started") {
      this.#begin(frame.session);
    } else if (frame.type === "segment") {
      this.#takeSegment(frame, nowS - ageS, nowS);
      if (past) this.#flush(nowS);
    }
    this.tick(nowS);
  }

  /** Says whether the reader is connected; a guess from before a break counts no more. */
  link(up, nowS) {
    this.tick(nowS);
    if (up) {
      this.#unsure = [];
      this.#lostS = null;
    } else {
      this.#lostS ??= nowS;
    }
  }

  #begin(session) {
    this.#closed = ""; // Segments count from one again, also after a break.
    if (session === this.#session) {
      this.#segment = "";
      this.#unsure = [];
      return;
    }
    this.#utter();
    this.#session = session;
    this.#speaker = "";
    this.#opens = this.#anything ? "talk" : "";
  }

  #utter(carried = []) {
    this.#segment = "";
    this.#utterance += 1;
    this.#words = [...carried];
    this.#out = carried.length;
    this.#unsure = [];
    if (!carried.length) this.#saidUntilS = Infinity;
  }

  #takeSegment(frame, sinceS, nowS) {
    const segment = `${frame.session}/${frame.segment}`;
    const final = !frame.is_partial;
    if (segment === this.#closed && !final) return;
    const goesOn = this.#segment === "" || this.#segment === segment;
    if (!goesOn || (frame.start_s ?? 0) >= this.#saidUntilS) this.#utter();
    this.#segment = segment;
    const tokens = wordsOf(frame.text);
    const sure = final ? tokens : tokens.slice(0, stableCount(tokens, frame.words ?? []));
    const fresh = this.#promise(sure, sinceS, nowS, final);
    const at = sure.length - fresh.length;
    const doubts = doubtsOf(tokens, frame.words ?? []).slice(at, sure.length);
    fresh.forEach((text, place) => {
      this.#queue(this.#word(text, frame, doubts[place]), sinceS, nowS);
    });
    if (final) {
      this.#queue(endOf(frame, segment), sinceS, nowS);
      this.#closed = segment;
      this.#utter(fresh.length ? [] : this.#words.slice(tokens.length));
      return;
    }
    this.#unsure = tokens.slice(this.#words.length);
    if (this.#words.length) {
      this.#saidUntilS = Math.min(this.#saidUntilS, frame.end_s ?? Infinity);
    }
  }

  #promise(sure, sinceS, nowS, final) {
    const same = commonStart(this.#words, sure);
    if (same === this.#words.length || (final && same === sure.length && same <= this.#out)) {
      this.#unqueue(Math.max(same, this.#out));
      return sure.slice(same);
    }
    if (!final && (same === sure.length || same < this.#out)) return [];
    this.#unqueue(Math.max(same, this.#out));
    if (same < this.#words.length && same < sure.length) {
      this.#queue(item("mark", CORRECTED, this.#segment), sinceS, nowS);
    }
    return sure.slice(same);
  }

  #unqueue(keep) {
    while (this.#words.length > keep) {
      const { item: word } = this.#waiting.pop();
      if (word.opens === "talk") this.#opens = "talk";
      if (word.speaker) this.#speaker = "";
      this.#words.pop();
    }
  }

  #word(text, frame, doubtful) {
    const speaker = frame.speaker || "";
    let opens = this.#words.length ? "" : "segment";
    if (speaker && speaker !== this.#speaker) opens = "speaker";
    const word = item("word", text, this.#segment, {
      opens: this.#opens || opens,
      speaker: opens === "speaker" ? speaker : "",
      made_by: frame.made_by || "automatic",
      language: frame.language || "",
      doubtful,
    });
    this.#speaker = speaker || this.#speaker;
    this.#opens = "";
    this.#anything = true;
    this.#words.push(text);
    return word;
  }

  #queue(what, sinceS, nowS) {
    this.#waiting.push({ item: what, utterance: this.#utterance, sinceS, cameS: nowS });
  }

  /** Paints what is due. */
  tick(nowS) {
    while (this.#waiting.length) {
      const first = this.#waiting[0];
      const atS = this.#timeOf(first);
      if (atS > nowS) return;
      const lateS = atS - first.sinceS;
      if (lateS > LATE_S && this.#skips && first.item.kind !== "end") {
        this.#skip(atS);
        continue;
      }
      this.#paint(this.#waiting.shift(), atS);
      if (first.item.kind === "word") this.#nextS = atS + paceS(lateS);
    }
  }

  #timeOf(first) {
    const atS = Math.max(this.#nextS, first.cameS);
    const tooLate = atS - first.sinceS > LATE_S && !this.#skips;
    return first.item.kind === "end" || tooLate ? first.cameS : atS;
  }

  #skip(nowS) {
    this.#waiting = this.#waiting.filter((waiting) => {
      if (waiting.item.kind === "end" || nowS - waiting.sinceS <= CATCH_UP_AFTER_S) return true;
      this.#left(waiting);
      return false;
    });
    if (this.#skipped) return;
    this.#surface.put(item("mark", SKIPPED));
    this.#skipped = true;
  }

  #flush(nowS) {
    while (this.#waiting.length) this.#paint(this.#waiting.shift(), nowS);
  }

  #paint(waiting, atS) {
    this.#left(waiting);
    this.#surface.put(waiting.item);
    if (waiting.item.kind !== "word") return;
    this.#skipped = false;
    this.#paintedS = Math.max(this.#paintedS, atS);
  }

  #left({ item: what, utterance }) {
    if (what.kind === "word" && utterance === this.#utterance) this.#out += 1;
  }

  /** When `tick` will next paint something; null when nothing waits. */
  get dueS() {
    return this.#waiting.length ? this.#timeOf(this.#waiting[0]) : null;
  }

  /** What follows the painted words, and may still change. */
  get guess() {
    const waiting = this.#waiting.filter((each) => each.item.kind !== "end");
    return [...waiting.map((each) => each.item.text), ...this.#unsure].join(" ");
  }

  /** Whether nothing may be shown at all. */
  get isHidden() {
    return this.#state === HIDDEN;
  }

  /** Returns what to show of the room's state, such as "pause"; "" while words flow. */
  note(nowS) {
    if (this.#lostS !== null) return nowS - this.#lostS >= LOST_S ? RECONNECTING : "";
    if (this.#state === OFF_RECORD) return NOTES[OFF_RECORD];
    if (this.#waiting.length || nowS - this.#paintedS < IDLE_S) return "";
    return (Object.hasOwn(NOTES, this.#state) && NOTES[this.#state]) || "";
  }
}

const endOf = (frame, segment) =>
  item("end", frame.text, segment, {
    made_by: frame.made_by || "automatic",
    language: frame.language || "",
    seq: frame.seq ?? null,
  });

function paceS(lateS) {
  if (lateS > CATCH_UP_AFTER_S) return CATCH_UP_S;
  return lateS > BRISK_AFTER_S ? BRISK_S : CALM_S;
}

const wordsOf = (text) => text.split(/\s+/u).filter(Boolean);

function stableCount(tokens, words) {
  let letters = 0;
  for (const { text, stable } of words) {
    if (!stable) break;
    letters += text.replace(/\s+/gu, "").length;
  }
  for (const [count, token] of tokens.entries()) {
    letters -= token.length;
    if (letters < 0) return count;
  }
  return tokens.length;
}

function doubtsOf(tokens, words) {
  if (words.length !== tokens.length) return tokens.map(() => false);
  return words.map(({ doubtful }) => Boolean(doubtful));
}

function commonStart(painted, fresh) {
  let same = 0;
  while (same < painted.length && same < fresh.length) {
    if (bare(painted[same]) !== bare(fresh[same])) break;
    same += 1;
  }
  return same;
}

const bare = (word) => word.toLowerCase().replace(/[^\p{L}\p{N}\p{M}]/gu, "") || word;
