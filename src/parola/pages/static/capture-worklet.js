/** Runs beside the page, where nothing can delay it: a microphone's sound in tenths of a second. */

import { RATE_HZ, Resampler } from "./resampler.js";

/** Frames of one message: a tenth of a second. */
const CHUNK = RATE_HZ / 10;

/** Neighbouring samples at full scale that speech does not have unless it was cut off there. */
const CLIPPED_SAMPLES = 3;
const FULL = 0.999;

class Capture extends AudioWorkletProcessor {
  #resampler = new Resampler(Math.round(sampleRate));
  #chunk = new Int16Array(CHUNK);
  #filled = 0;
  #mono = new Float32Array(128);
  #peak = 0;
  #power = 0;
  #heard = 0;
  #run = 0;
  #clipped = false;
  #ended = false;

  constructor() {
    super();
    this.port.onmessage = () => this.#end();
  }

  process([channels]) {
    if (!this.#ended && channels.length) {
      this.#measure(this.#mixed(channels));
      this.#take(this.#resampler.feed(this.#mono));
    }
    return !this.#ended;
  }

  #mixed(channels) {
    if (this.#mono.length !== channels[0].length) {
      this.#mono = new Float32Array(channels[0].length);
    }
    const share = 1 / channels.length;
    this.#mono.fill(0);
    for (const channel of channels) {
      for (let n = 0; n < channel.length; n++) this.#mono[n] += channel[n] * share;
    }
    return this.#mono;
  }

  #measure(samples) {
    for (const sample of samples) {
      const size = Math.abs(sample);
      this.#peak = Math.max(this.#peak, size);
      this.#power += sample * sample;
      this.#run = size >= FULL ? this.#run + 1 : 0;
      this.#clipped ||= this.#run >= CLIPPED_SAMPLES;
    }
    this.#heard += samples.length;
  }

  #take(samples) {
    for (const sample of samples) {
      this.#chunk[this.#filled++] = sample;
      if (this.#filled === CHUNK) this.#send();
    }
  }

  #send() {
    const pcm = this.#chunk.slice(0, this.#filled);
    const power = this.#heard ? this.#power / this.#heard : 0;
    this.port.postMessage({ pcm, peak: this.#peak, power, clipped: this.#clipped }, [pcm.buffer]);
    this.#filled = this.#peak = this.#power = this.#heard = 0;
    this.#clipped = false;
  }

  #end() {
    if (this.#ended) return;
    this.#take(this.#resampler.flush());
    if (this.#filled) this.#send();
    this.#ended = true;
    this.port.postMessage(null);
  }
}

registerProcessor("capture", Capture);
