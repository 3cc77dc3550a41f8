/** The display page: one room's captions, as large as the window allows. */

import { stayAwake } from "./awake.js";
import { Feed } from "./feed.js";
import { Follower } from "./follow.js";
import { Painter } from "./painter.js";
import { offerSizes } from "./size.js";
import { credit, roomWording, wording } from "./words.js";

/** Paragraphs kept while following, and while a reader is reading back. */
const KEEP = 50;
const KEEP_HELD = 300;

/** How long the first connection's past is painted before new text is announced aloud. */
const PAST_MS = 1500;

/** How long a resting mouse leaves pointer and buttons on the screen. */
const IDLE_MS = 3000;

const $ = (id) => document.getElementById(id);

/** What the page knows; `show` turns it into words. */
const known = { link: "connecting", reason: "", state: "idle", detail: "", credit: "" };

const follower = new Follower({
  scroller: $("reader"),
  sheet: $("sheet"),
  content: $("content"),
  button: $("live"),
});

const painter = new Painter($("captions"), $("partial"), {
  keep: () => (follower.following ? KEEP : KEEP_HELD),
  cut: (pixels) => follower.cut(pixels),
});

/** Writes only what differs: screen readers announce every write to a live region. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show() {
  const words = wording(known.link, known.state);
  $("info").dataset.tone = words.tone;
  document.body.dataset.link = known.link;
  document.body.dataset.state = known.state;
  write($("status"), words.short);
  write($("credit"), known.credit);

  $("quiet").hidden = !painter.isEmpty;
  write($("quiet-large"), words.large);
  // What is wrong stands in the error line already.
  const detail = known.link === "open" && words.tone !== "bad" ? known.detail : "";
  write($("quiet-hint"), detail || words.hint);

  const trouble = troubleInWords();
  write($("error"), trouble);
  $("error").hidden = !trouble;
}

function troubleInWords() {
  if (known.link === "refused") return known.reason || "The server does not show this room.";
  const { tone, short } = roomWording(known.state);
  if (tone !== "bad") return "";
  return known.detail ? `${short}. ${known.detail}` : `${short}.`;
}

function read(room, partial) {
  new Feed(
    room,
    {
      onSegment(frame) {
        painter.paint(frame);
        if (!frame.is_partial) {
          known.credit = credit(frame.made_by, frame.engine);
          follower.arrived();
        }
        show();
        follower.changed();
      },
      onChange({ change, session }) {
        if (change === "session_started") painter.begin(session);
      },
      onState(frame) {
        known.state = frame.state;
        known.detail = frame.detail;
        known.credit ||= credit("automatic", frame.engine);
        show();
      },
      onLink(link, reason) {
        // The guess of a connection that ended may have been withdrawn since.
        if (link === "open") painter.withdraw();
        if (link === "open") setTimeout(() => $("captions").removeAttribute("aria-busy"), PAST_MS);
        known.link = link;
        known.reason = reason;
        show();
        follower.changed();
      },
    },
    { partial },
  ).open();
}

/**
 * Returns the room of the address, `/rooms/{room}` or `/sala/{room}`.
 *
 * @throws {URIError} where it holds a broken percent-encoding.
 */
function roomOfAddress() {
  return decodeURIComponent(location.pathname.split("/")[2] ?? "");
}

/** Reads a yes or no as the server does (pydantic's booleans); anything else is a no. */
function isYes(text) {
  return ["1", "true", "t", "yes", "y", "on"].includes((text ?? "").toLowerCase());
}

/** Lets the keyboard scroll although nothing is focused, as on any page. */
function scrollByKeys(scroller) {
  const page = () => scroller.clientHeight * 0.8;
  const moves = {
    PageUp: () => -page(),
    PageDown: page,
    ArrowUp: () => -page() / 5,
    ArrowDown: () => page() / 5,
    Home: () => -scroller.scrollHeight,
    End: () => scroller.scrollHeight,
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") follower.resume();
    if (document.activeElement === document.body && Object.hasOwn(moves, event.key)) {
      scroller.scrollBy({ top: moves[event.key]() });
    }
  });
}

/** Takes pointer and buttons off the screen while nobody moves the mouse. */
function hideWhatRests() {
  let timer = 0;
  const wake = () => {
    document.body.dataset.hand = "";
    clearTimeout(timer);
    timer = setTimeout(() => delete document.body.dataset.hand, IDLE_MS);
  };
  window.addEventListener("pointermove", wake, { passive: true });
  window.addEventListener("pointerdown", wake, { passive: true });
}

function start() {
  let room;
  try {
    room = roomOfAddress();
  } catch {
    known.link = "refused";
    known.reason = "The room's name in the address is broken; please open it from the home page.";
    show();
    return;
  }
  // Only ever as text: a room's name is whatever somebody typed.
  $("room-name").textContent = room;
  document.title = `${room} – Parola`;
  show();
  read(room, isYes(new URLSearchParams(location.search).get("partial")));
}

offerSizes({ smaller: $("smaller"), larger: $("larger"), changed: () => follower.reset() });
scrollByKeys($("reader"));
hideWhatRests();
stayAwake();
start();
