/**
 * Keeps unsafe sound in the browser's own database, for a tab that is reloaded or dies.
 *
 * It never throws and never makes anybody wait: where the browser refuses (no room, private
 * window), `works` turns false and sound lives in memory only.
 */

const NAME = "parola.microphone";

/** Frames of the longest chunk: what starts this far before a position ends before it. */
const CHUNK = 1600;

/**
 * @typedef {object} KeptTalk
 * @property {string} session
 * @property {string} room
 * @property {string} language
 * @property {number} first  The first frame that is not safe.
 */

export class Shelf {
  #database = null;
  #failed;

  /** Whether what is put here would outlive the tab. */
  works = false;

  /** @param {() => void} failed  Called when it works no more. */
  constructor(failed) {
    this.#failed = failed;
  }

  /** Gets ready; returns the talks that it holds. */
  async open() {
    try {
      this.#database = await opened();
      this.works = true;
      return await done(this.#database.transaction("talks").objectStore("talks").getAll());
    } catch {
      this.#fail();
      return [];
    }
  }

  /** Returns a talk's sound in order, each piece with its place. */
  async sound({ session }) {
    try {
      const store = this.#database.transaction("sound").objectStore("sound");
      const range = all(session);
      const [keys, pieces] = await Promise.all([
        done(store.getAllKeys(range)),
        done(store.getAll(range)),
      ]);
      return keys.map(([, at], n) => ({ at, pcm: pieces[n] }));
    } catch {
      this.#fail();
      return [];
    }
  }

  /** Keeps what is known of a talk, and forgets its sound before `talk.first`. */
  note(talk) {
    this.#write((talks, sound) => {
      talks.put(talk);
      if (talk.first >= CHUNK) {
        const safe = IDBKeyRange.bound([talk.session, 0], [talk.session, talk.first - CHUNK]);
        sound.delete(safe);
      }
    });
  }

  /** Keeps a piece of a talk's sound. */
  put({ session }, at, pcm) {
    this.#write((_, sound) => sound.put(pcm, [session, at]));
  }

  /** Forgets a talk's sound, and goes on to know the talk. */
  empty({ session }) {
    this.#write((_, sound) => sound.delete(all(session)));
  }

  /** Forgets a talk. */
  forget({ session }) {
    this.#write((talks, sound) => {
      talks.delete(session);
      sound.delete(all(session));
    });
  }

  #write(work) {
    if (!this.works) return;
    try {
      // Relaxed: it need not outlive a power cut of the computer, and must not wear out a disk.
      const options = { durability: "relaxed" };
      const change = this.#database.transaction(["talks", "sound"], "readwrite", options);
      change.onabort = () => this.#fail();
      work(change.objectStore("talks"), change.objectStore("sound"));
    } catch {
      this.#fail();
    }
  }

  #fail() {
    this.works = false;
    this.#failed();
  }
}

const all = (session) => IDBKeyRange.bound([session, 0], [session, Infinity]);

function opened() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("talks", { keyPath: "session" });
    request.result.createObjectStore("sound");
  };
  return done(request);
}

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
