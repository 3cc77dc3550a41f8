/**
 * The words a page uses for what a room is doing.
 *
 * One list for the screen, the preview and the room list, so that they never contradict each other.
 */

/**
 * @typedef {object} Wording
 * @property {string} short  For an info line or a table cell.
 * @property {string} large  For the middle of an empty screen.
 * @property {string} hint   What the large words leave open; may be empty.
 * @property {"live"|"quiet"|"bad"} tone
 */

/** @type {Record<string, Wording>} The keys are the room states of the protocol. */
const ROOM = {
  idle: {
    short: "No source connected",
    large: "Waiting for speech",
    hint: "No microphone or file is connected to this room yet.",
    tone: "quiet",
  },
  waiting: {
    short: "Waiting for speech",
    large: "Waiting for speech",
    hint: "A source is connected.",
    tone: "quiet",
  },
  listening: { short: "Listening", large: "Listening", hint: "", tone: "live" },
  recovering: {
    short: "Recognition is restarting, the sound is kept",
    large: "One moment, please",
    hint: "Recognition is restarting. The sound is kept.",
    tone: "quiet",
  },
  failed: {
    short: "Recognition failed",
    large: "Captions are not available",
    hint: "",
    tone: "bad",
  },
  unsaved: {
    short: "Live, but not saved at the moment",
    large: "Listening",
    hint: "",
    tone: "bad",
  },
  paused: {
    short: "Paused by the operator",
    large: "Captions are paused",
    hint: "",
    tone: "quiet",
  },
  off_record: {
    short: "Off the record",
    large: "Off the record",
    hint: "What is said is shown and not written down.",
    tone: "quiet",
  },
  hidden: {
    short: "The screens are switched off",
    large: "",
    hint: "",
    tone: "quiet",
  },
};

/** @type {Record<string, Wording>} The keys are the links of feed.js, without "open". */
const LINK = {
  connecting: { short: "Connecting…", large: "Connecting…", hint: "", tone: "quiet" },
  lost: {
    short: "Reconnecting…",
    large: "Reconnecting…",
    hint: "The connection is gone. Nothing said meanwhile is lost.",
    tone: "bad",
  },
  refused: { short: "Not connected", large: "This room cannot be shown", hint: "", tone: "bad" },
};

/**
 * Returns the words for a room's state. A state this page does not know is shown as it is:
 * a newer server may have learned one.
 *
 * @param {string} state
 * @returns {Wording}
 */
export function roomWording(state) {
  return (
    (Object.hasOwn(ROOM, state) && ROOM[state]) || {
      short: state,
      large: state,
      hint: "",
      tone: "quiet",
    }
  );
}

/**
 * Returns the words for the page's own connection where it is the news, else for the room.
 *
 * @param {string} link   A link of feed.js.
 * @param {string} state  The room's last known state.
 * @returns {Wording}
 */
export function wording(link, state) {
  return LINK[link] ?? roomWording(state);
}

/**
 * Returns who made the words, as in "automatic · pocketsphinx": readers have a right to know.
 *
 * @param {string} madeBy
 * @param {string} engine
 */
export function credit(madeBy, engine) {
  return [madeBy || "automatic", engine].filter(Boolean).join(" · ");
}

/**
 * Returns "1 viewer" or "2 viewers".
 *
 * @param {number} count
 * @param {string} noun
 */
export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/**
 * Returns how long ago something was: "just now", "3 minutes ago".
 *
 * @param {number} seconds  Negative where two clocks disagree: that is "just now", too.
 */
export function ago(seconds) {
  if (seconds < 5) return "just now";
  if (seconds < 60) return RELATIVE.format(-Math.round(seconds), "second");
  if (seconds < 3600) return RELATIVE.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86400) return RELATIVE.format(-Math.round(seconds / 3600), "hour");
  return RELATIVE.format(-Math.round(seconds / 86400), "day");
}

/**
 * Returns a position in sound as "0:41".
 *
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
