/**
 * Turns a microphone's samples into 16 kHz, 16 bits, however the stream is cut. Free of the browser.
 *
 * Sound above 8 kHz is filtered away before the rate falls, so that it does not fold back into
 * speech: a windowed sinc, one row of a table for each place an output can have between two inputs.
 */

export const RATE_HZ = 16_000;

/** What is kept, as a share of the band that both rates have; the band's end is already filtered. */
const PASS = 0.9;

/** How far down the filter takes what must not be heard, in decibels. */
const REJECTION_DB = 85;

/** The window for that much. Source: Kaiser and Schafer, 1980 (as in scipy.signal.kaiser_beta). */
const BETA = 0.1102 * (REJECTION_DB - 8.7);

export class Resampler {
  #table;
  #taps;
  #half;
  #up;
  #down;
  #held;
  #count;
  #place = 0;

  /** @param {number} rateHz  A whole number. */
  constructor(rateHz) {
    const common = divisor(rateHz, RATE_HZ);
    this.#up = RATE_HZ / common;
    this.#down = rateHz / common;
    const band = Math.min(rateHz, RATE_HZ) / 2;
    // Source: Kaiser's formula for the length (as in scipy.signal.kaiserord).
    const length = (REJECTION_DB - 7.95) / (14.36 * ((band * (1 - PASS)) / rateHz));
    this.#half = rateHz === RATE_HZ ? 0 : Math.ceil(length / 2);
    this.#taps = 2 * this.#half;
    this.#table = this.#half ? rows(this.#up, this.#half, (band * (1 + PASS)) / 2 / rateHz) : null;
    // Before the first sample there was silence: as long as the filter looks back.
    this.#count = Math.max(0, this.#half - 1);
    this.#held = new Float32Array(4096);
  }

  /**
   * Takes the next samples, -1 to 1, and returns what is ready: often fewer, or none.
   *
   * @param {Float32Array} samples
   * @returns {Int16Array}
   */
  feed(samples) {
    if (!this.#table) return Int16Array.from(samples, whole);
    this.#hold(samples);
    const ready = new Int16Array(Math.ceil((this.#count * this.#up) / this.#down) + 1);
    let made = 0;
    for (;;) {
      const at = Math.floor(this.#place / this.#up);
      if (at + this.#taps > this.#count) break;
      ready[made++] = whole(this.#one(at, (this.#place % this.#up) * this.#taps));
      this.#place += this.#down;
    }
    this.#letGo();
    return ready.subarray(0, made);
  }

  /** Returns what the filter held back; nothing is to be fed after it. */
  flush() {
    return this.#table ? this.feed(new Float32Array(this.#half)) : new Int16Array(0);
  }

  #one(at, row) {
    let sum = 0;
    for (let k = 0; k < this.#taps; k++) sum += this.#held[at + k] * this.#table[row + k];
    return sum;
  }

  #hold(samples) {
    if (this.#count + samples.length > this.#held.length) {
      const larger = new Float32Array(2 * (this.#count + samples.length));
      larger.set(this.#held.subarray(0, this.#count));
      this.#held = larger;
    }
    this.#held.set(samples, this.#count);
    this.#count += samples.length;
  }

  #letGo() {
    const used = Math.min(Math.floor(this.#place / this.#up), this.#count);
    this.#held.copyWithin(0, used, this.#count);
    this.#count -= used;
    this.#place -= used * this.#up;
  }
}

/** Returns a sample as a whole number of 16 bits; what overshoots is clipped. */
function whole(sample) {
  return Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
}

/** Returns the filter as seen from each of `up` places between two inputs, row after row. */
function rows(up, half, cutoff) {
  const taps = 2 * half;
  const table = new Float32Array(up * taps);
  for (let place = 0; place < up; place++) {
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const x = k - (half - 1) - place / up;
      const value = sinc(2 * cutoff * x) * kaiser(x / half);
      table[place * taps + k] = value;
      sum += value;
    }
    // Every row lets the same through; else the rows' differences are heard as a tone.
    for (let k = 0; k < taps; k++) table[place * taps + k] /= sum;
  }
  return table;
}

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

const kaiser = (x) => (Math.abs(x) > 1 ? 0 : bessel(BETA * Math.sqrt(1 - x * x)) / bessel(BETA));

/** The modified Bessel function of the first kind, order 0, by its power series. */
function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);
