/** What the home page asks of the server, with every failure as a sentence for people. */

/** A server that takes longer than this to answer a small question is not there. */
const ANSWER_WITHIN_MS = 8000;

const UNREACHABLE = "The server cannot be reached. Is it still running?";

/** A failure whose message may be shown as it is. */
export class Refused extends Error {
  /**
   * @param {string} message
   * @param {string} [code]  The server's word for it, stable where messages are not.
   * @param {object|null} [body]  All that it answered.
   */
  constructor(message, code = "", body = null) {
    super(message);
    this.code = code;
    this.body = body;
  }
}

/** @param {string} room */
const under = (room) => `/api/rooms/${encodeURIComponent(room)}`;

/** Returns what the server says of itself. */
export const about = async () => (await ask("GET", "/api/about")).json();

/** Returns the rooms, and the server's time: two clocks rarely agree. */
export async function rooms() {
  const answer = await ask("GET", "/api/rooms");
  const now = Date.parse(answer.headers.get("date") ?? "") || Date.now();
  return { rooms: (await answer.json()).rooms, now };
}

/** Plays the bundled talk into a room. */
export const playSample = (room) => ask("POST", `${under(room)}/sample`);

/** Stops what plays into a room. */
export const stopPlayback = (room) => ask("DELETE", `${under(room)}/playback`);

/** Returns the address of a room's big screen. */
export const screenOf = (room) => `/rooms/${encodeURIComponent(room)}`;

/** Returns the address of a room's phone page, with this server's own. */
export const phoneOf = (room) => new URL(`/p/${encodeURIComponent(room)}`, location.href).href;

/** Returns the address of the page that is laid over a video. */
export const overlayOf = (room) => `${screenOf(room)}/overlay`;

/** Returns the address of the page that speaks into a room. */
export const micOf = (room) => `${screenOf(room)}/mic`;

/** Returns the address of a picture of the way to a room's phone page. */
export const qrOf = (room) => `${screenOf(room)}/qr.svg`;

/** Returns the address of a room's transcript, "txt", "srt", "vtt" or "json". */
export const transcriptOf = (room, format) => `${under(room)}/transcript.${format}`;

/** Returns the address of a talk's sound, where it was kept. */
export const recordingOf = (room, session) =>
  `${under(room)}/recording?${new URLSearchParams({ session })}`;

/** Returns one talk's segments as they are in the log, the oldest first. */
export async function transcript(room, session) {
  const query = new URLSearchParams({ session });
  const answer = await ask("GET", `${under(room)}/transcript.json?${query}`);
  return (await answer.json()).sessions.flatMap(({ segments }) => segments);
}

/**
 * Sends a file to be played into a room. `fetch` cannot tell how far an upload is, hence the
 * older interface.
 *
 * @param {string} room
 * @param {File} file
 * @param {string} language
 * @param {object} options
 * @param {(share: number) => void} options.progress  Called with 0 to 1.
 * @param {AbortSignal} options.signal  Ends the upload; the promise is then rejected, AbortError.
 */
export function upload(room, file, language, { progress, signal }) {
  const query = new URLSearchParams({ name: file.name, language });
  return sendFile(`${under(room)}/files?${query}`, file, { progress, signal });
}

/**
 * Sends a file, and returns the text of the answer.
 *
 * @param {string} path
 * @param {File} file
 * @param {object} options
 * @param {(share: number) => void} options.progress  Called with 0 to 1.
 * @param {AbortSignal} [options.signal]  Ends the upload; the promise is then rejected, AbortError.
 */
export function sendFile(path, file, { progress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => progress(total ? loaded / total : 0);
    request.onload = () => {
      if (request.status < 300) resolve(request.responseText);
      else reject(refusal(request.status, request.responseText));
    };
    request.onerror = () =>
      reject(new Refused("The upload broke off. The server may have refused the file, or be gone."));
    request.onabort = () => reject(new DOMException("The upload was stopped.", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** Returns the server's answer. @throws {Refused} */
export async function ask(method, path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, method, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  } catch (error) {
    throw new Refused(UNREACHABLE, error.name);
  }
  if (!answer.ok) throw refusal(answer.status, await answer.text());
  return answer;
}

/** Returns the server's own sentence; what stands between us and it may answer in HTML. */
function refusal(status, body) {
  try {
    const answer = JSON.parse(body);
    if (typeof answer.detail === "string") return new Refused(answer.detail, answer.code, answer);
  } catch {
    // Not from our server: the number is all there is.
  }
  return new Refused(`The server answered ${status} without saying why.`);
}
