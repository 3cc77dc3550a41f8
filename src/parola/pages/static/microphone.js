/** One microphone, as a stream of 16 kHz sound and levels; what goes wrong has one word each. */

/** What browsers call it, and what it means for a person. Source: W3C Media Capture, section 10. */
const TROUBLES = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "absent",
  NotReadableError: "busy",
  AbortError: "busy",
  OverconstrainedError: "absent",
};

/** How long the worklet may take to hand over its last sound. */
const LAST_SOUND_MS = 500;

/** A microphone that cannot be heard; `trouble` is "insecure", "refused", "absent" or "busy". */
export class Unheard extends Error {
  /** @param {string} trouble */
  constructor(trouble) {
    super(trouble);
    this.trouble = trouble;
  }
}

/** Returns the microphones there are; without permission browsers hide their names. */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId);
}

/**
 * @typedef {object} Ear
 * @property {(sound: {pcm: Int16Array, peak: number, power: number, clipped: boolean}) => void} heard
 * @property {() => void} lost  The microphone has gone.
 * @property {(running: boolean) => void} running  The browser holds the sound back, or does no more.
 */

export class Microphone {
  #stream;
  #context;
  #node;
  #ended = Promise.resolve();

  /**
   * Asks for a microphone and begins to hear it.
   *
   * @param {string} device  Its id; "" for the one that the system prefers.
   * @param {boolean} cleaned  Whether the browser may work on the sound. For people with a poor
   *   microphone beside their own loudspeakers; recognisers prefer sound as it is.
   * @param {Ear} ear
   * @throws {Unheard}
   */
  static async open(device, cleaned, ear) {
    if (!window.isSecureContext || !navigator.mediaDevices) throw new Unheard("insecure");
    const audio = {
      echoCancellation: cleaned,
      noiseSuppression: cleaned,
      autoGainControl: cleaned,
      ...(device && { deviceId: { exact: device } }),
    };
    const microphone = new Microphone();
    try {
      microphone.#stream = await navigator.mediaDevices.getUserMedia({ audio });
      await microphone.#listen(ear);
    } catch (error) {
      microphone.#release();
      throw TROUBLES[error.name] ? new Unheard(TROUBLES[error.name]) : error;
    }
    return microphone;
  }

  async #listen(ear) {
    const [track] = this.#stream.getAudioTracks();
    const context = (this.#context = new AudioContext({ latencyHint: "balanced" }));
    await context.audioWorklet.addModule("/static/capture-worklet.js");
    const node = (this.#node = new AudioWorkletNode(context, "capture"));
    this.#ended = new Promise((resolve) => {
      node.port.onmessage = ({ data }) => (data ? ear.heard(data) : resolve());
    });
    track.onended = () => ear.lost();
    context.onstatechange = () => ear.running(context.state === "running");
    context.createMediaStreamSource(this.#stream).connect(node).connect(context.destination);
    ear.running(context.state === "running");
  }

  /** The name of the microphone that is heard. */
  get label() {
    return this.#stream.getAudioTracks()[0]?.label ?? "";
  }

  /** Lets the sound run where the browser waited for somebody to touch the page. */
  resume() {
    return this.#context.resume();
  }

  /** Ends hearing; the last sound has been handed over when this is done. */
  async close() {
    this.#node.port.postMessage("end");
    await Promise.race([this.#ended, new Promise((done) => setTimeout(done, LAST_SOUND_MS))]);
    this.#release();
  }

  #release() {
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    if (this.#context) this.#context.onstatechange = null;
    this.#context?.close();
  }
}
