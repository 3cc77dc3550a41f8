/**
 * Sound that is not safe at the server yet, counted in frames from the talk's start. Free of the
 * browser. When it holds too much, the oldest goes: `dropped` says how much was lost so.
 */
export class Spool {
  #chunks = [];
  #first;
  #end;
  #most;

  /** Frames that were given up for want of room. */
  dropped = 0;

  /**
   * @param {number} position  Where its sound begins.
   * @param {number} most  Frames that it may hold.
   */
  constructor(position, most) {
    this.#first = this.#end = position;
    this.#most = most;
  }

  /** The first frame that is not safe. */
  get first() {
    return this.#first;
  }

  /** The first frame that has not been heard yet. */
  get end() {
    return this.#end;
  }

  /**
   * Takes the next sound, and returns where it stands.
   *
   * @param {Int16Array} pcm
   */
  append(pcm) {
    const at = this.#end;
    this.#chunks.push({ at, pcm });
    this.#end += pcm.length;
    const excess = this.#end - this.#first - this.#most;
    if (excess > 0) {
      this.dropped += excess;
      this.safe(this.#first + excess);
    }
    return at;
  }

  /**
   * Returns sound that begins exactly at a position, up to the end of its chunk; null for none.
   *
   * @param {number} position
   * @returns {Int16Array | null}
   */
  from(position) {
    if (position < this.#first || position >= this.#end) return null;
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#chunks[middle].at <= position) low = middle;
      else high = middle - 1;
    }
    const { at, pcm } = this.#chunks[low];
    return pcm.subarray(position - at);
  }

  /** Forgets all before a position. One beyond the end means that the server has more than this. */
  safe(position) {
    if (position <= this.#first) return;
    this.#first = position;
    this.#end = Math.max(this.#end, position);
    const kept = this.#chunks.findIndex(({ at, pcm }) => at + pcm.length > position);
    this.#chunks.splice(0, kept < 0 ? this.#chunks.length : kept);
  }
}
