/** One talk from this browser: what is heard is kept until the server has it safe. */

import { RATE_HZ } from "./resampler.js";
import { Spool } from "./spool.js";
import { Uplink } from "./uplink.js";

/** How much may wait for the server: an hour, 115 MB. */
const MOST = 3600 * RATE_HZ;

/**
 * What stands for the time in which a tab came back and heard nothing, in frames: a second. It also
 * outlasts the last moments that a dying tab had sent and not kept.
 */
const AWAY = RATE_HZ;

export class Talk {
  #kept;
  #shelf;
  #spool;
  #uplink;
  #secret = false;

  /**
   * @param {import("./shelf.js").KeptTalk} kept
   * @param {import("./shelf.js").Shelf} shelf
   * @param {import("./uplink.js").Listener} listener
   */
  constructor(kept, shelf, listener) {
    this.#kept = kept;
    this.#shelf = shelf;
    this.#spool = new Spool(kept.first, MOST);
    this.#uplink = new Uplink(kept, this.#spool, {
      ...listener,
      link: (link, reason) => {
        // What the server has begun to take and refuses later is offered again by the next page.
        const refused = link === "refused" && !this.#uplink.begun;
        if (link === "done" || refused) this.#shelf.forget(this.#kept);
        listener.link(link, reason);
      },
      safe: (position) => {
        this.#noted(position);
        listener.safe?.(position);
      },
    });
  }

  /** Takes up what an earlier tab has left, as far as it is whole. */
  async recall() {
    for (const { at, pcm } of await this.#shelf.sound(this.#kept)) {
      const known = this.#spool.end - at;
      if (known < 0) break;
      if (known < pcm.length) this.#spool.append(pcm.subarray(known));
    }
  }

  /** Starts to send. */
  open() {
    this.#shelf.note(this.#kept);
    this.#uplink.open();
  }

  /** Leaves a moment of silence where a tab came back. */
  bridge() {
    this.hear(new Int16Array(AWAY));
  }

  /** @param {Int16Array} pcm */
  hear(pcm) {
    const at = this.#spool.append(pcm);
    for (let from = 0; from < pcm.length && !this.#secret; from += RATE_HZ / 10) {
      this.#shelf.put(this.#kept, at + from, pcm.slice(from, from + RATE_HZ / 10));
    }
    this.#uplink.more();
  }

  /** Lets nothing be kept that outlives the tab, while the room is off the record. */
  offTheRecord(secret) {
    if (secret && !this.#secret) this.#shelf.empty(this.#kept);
    this.#secret = secret;
  }

  /** Says that this was all. */
  end() {
    this.#uplink.end();
  }

  get room() {
    return this.#kept.room;
  }

  get language() {
    return this.#kept.language;
  }

  /** Seconds of sound that have not left this browser yet. */
  get unsentS() {
    return this.#uplink.unsent / RATE_HZ;
  }

  /** Seconds of sound whose text the server has not saved yet: they are kept here. */
  get unsafeS() {
    return (this.#spool.end - this.#spool.first) / RATE_HZ;
  }

  /** Seconds that were lost for want of room. */
  get lostS() {
    return this.#spool.dropped / RATE_HZ;
  }

  /** Seconds since the talk began, as its own sound counts them. */
  get lengthS() {
    return this.#spool.end / RATE_HZ;
  }

  #noted(first) {
    if (first === this.#kept.first) return;
    this.#kept.first = first;
    this.#shelf.note(this.#kept);
  }
}

/**
 * Holds a talk for this tab while it lives, and returns whether no other tab has it.
 *
 * @param {import("./shelf.js").KeptTalk} kept
 * @param {number} [patienceMs]  How long another one may take to let go: the page before this one,
 *   which may not be gone yet when it is loaded again.
 */
export function claim({ session }, patienceMs = 0) {
  return new Promise((resolve) => {
    if (!navigator.locks) return void resolve(true);
    const options = patienceMs ? { signal: AbortSignal.timeout(patienceMs) } : { ifAvailable: true };
    const hold = (lock) => {
      resolve(lock !== null);
      return lock && new Promise(() => {});
    };
    navigator.locks.request(`parola.microphone.${session}`, options, hold).catch(() => resolve(false));
  });
}
