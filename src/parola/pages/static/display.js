/** The big screen: the captions of one room, or of two side by side. */

import { Announcer } from "./announcer.js";
import { stayAwake } from "./awake.js";
import { isReadable } from "./contrast.js";
import { isYes, roomOfAddress } from "./reading.js";
import { phoneOf, qrOf } from "./requests.js";
import { Screen } from "./screen.js";
import { oneOf, Settings, wholeNumber } from "./settings.js";
import { offerSizes } from "./size.js";
import { credit, roomWording, wording } from "./words.js";

/** How long the first connection's past is painted before new text is announced aloud. */
const PAST_MS = 1500;

/** How long a resting mouse leaves pointer and buttons on the screen. */
const IDLE_MS = 3000;

/** A letter's width, and a line's height, in letter sizes. The first is the widest of our faces'. */
const LETTER = { plain: 0.54, serif: 0.54, wide: 0.66, mono: 0.61 };
const LINE = 1.28;
const SMALLEST_PX = 26;

/** The note below the lines, in lines. */
const NOTE = 0.75;

/** Lines where nobody chose: a hall's screen, two rooms on it, and a phone held upright. */
const LINES = 4;
const LINES_BESIDE = 6;
const LINES_UPRIGHT = 11;

const $ = (id) => document.getElementById(id);

/** What the page knows; `show` turns it into words. */
const known = { link: "connecting", reason: "", state: "idle", detail: "", credit: "" };

const query = new URLSearchParams(location.search);
const partial = isYes(query.get("partial"));
const screens = [];
let looks = {};
let laid = "";
let asked = false;

/** Writes only what differs. */
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

  const empty = screens.every((screen) => screen.isEmpty);
  const hidden = screens.some((screen) => screen.isHidden);
  $("quiet").hidden = !empty || hidden;
  write($("quiet-large"), words.large);
  // What is wrong stands in the error line already.
  const detail = known.link === "open" && words.tone !== "bad" ? known.detail : "";
  write($("quiet-hint"), detail || words.hint);
  $("qr").hidden = !asked && (!empty || hidden || known.link !== "open");
  $("qr").toggleAttribute("data-asked", asked);

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

// --- Sizes --------------------------------------------------------------------------------------

/** Returns the lines, the letters a line and the letter's size that the window has room for. */
function measure() {
  const pane = document.querySelector(".pane");
  const style = getComputedStyle(pane);
  const width = pane.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const name = pane.querySelector(".pane-room");
  const height =
    pane.clientHeight -
    parseFloat(style.paddingTop) -
    parseFloat(style.paddingBottom) -
    (name.textContent ? name.offsetHeight * 1.6 : 0);
  const letters = Number(looks.letters);
  const wanted = Number(looks.lines) || linesThatSuit();
  const size = Number(getComputedStyle(document.documentElement).getPropertyValue("--size")) || 1;
  const below = (partial ? 2 : 0) + NOTE;
  const widest = Math.max(width / (letters * LETTER[looks.font]), SMALLEST_PX);
  const highest = height / ((Math.min(wanted, LINES) + below) * LINE);
  const text = Math.floor(Math.min(widest, highest) * size);
  const room = Math.floor(height / (text * LINE) - below);
  return { text, lines: Math.max(1, Math.min(wanted, room)), columns: letters };
}

function linesThatSuit() {
  if (screens.length > 1) return LINES_BESIDE;
  return innerHeight > innerWidth ? LINES_UPRIGHT : LINES;
}

function layOut() {
  if (!screens.length) return;
  const { text, ...how } = measure();
  const wanted = JSON.stringify([text, how, looks.font, innerWidth]);
  if (wanted === laid) return; // Lines that need not move stay.
  laid = wanted;
  document.documentElement.style.setProperty("--text", `${text}px`);
  document.documentElement.style.setProperty("--line", `${Math.round(text * LINE)}px`);
  for (const screen of screens) screen.again(how);
  show();
}

function dress(values) {
  looks = values;
  Object.assign(document.documentElement.dataset, {
    font: values.font,
    colours: values.colours,
    position: values.position,
  });
  const [ink, ground] = [values.color, values.background].map((hex) => hex && `#${hex}`);
  if (ink && ground && isReadable(ink, ground)) {
    const style = document.documentElement.style;
    for (const name of ["--ink", "--guess", "--soft", "--speaker"]) style.setProperty(name, ink);
    style.setProperty("--ground", ground);
  }
  layOut();
}

const hex = { fallback: "", allows: (text) => /^([0-9a-f]{6})?$/i.test(text) };

// --- Rooms --------------------------------------------------------------------------------------

function open(room, first, named) {
  const pane = $("pane").content.firstElementChild.cloneNode(true);
  pane.dataset.room = room;
  // Only ever as text: a room's name is whatever somebody typed.
  if (named) pane.querySelector(".pane-room").textContent = room;
  $("panes").append(pane);
  const announcer = first ? new Announcer($("spoken")) : null;
  let aloud = false;
  const watcher = {
    painted: show,
    onItem(item) {
      if (aloud) announcer?.put(item);
    },
    onFrame(frame) {
      if (!first) return;
      if (frame.type === "state") {
        known.state = frame.state;
        known.detail = frame.detail;
        known.credit ||= credit("automatic", frame.engine);
      } else if (frame.type === "segment" && !frame.is_partial) {
        known.credit = credit(frame.made_by, frame.engine);
      }
    },
    onLink(link, reason) {
      if (link === "open") setTimeout(() => (aloud = true), PAST_MS);
      if (!first) return;
      known.link = link;
      known.reason = reason;
    },
  };
  screens.push(new Screen(pane, room, { lines: LINES, columns: 37, partial }, watcher));
}

// --- Hands --------------------------------------------------------------------------------------

function toggleCode() {
  asked = !asked;
  show();
}

function togglePanel() {
  $("panel").hidden = !$("panel").hidden;
  $("looks").setAttribute("aria-expanded", String(!$("panel").hidden));
  layOut();
}

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
    if (event.key === "q" || event.key === "Q") toggleCode();
    else if (event.key === "s" || event.key === "S") togglePanel();
    else if (event.key === "Escape") {
      if (asked) toggleCode();
      if (!$("panel").hidden) togglePanel();
    }
  });
  $("code").addEventListener("click", toggleCode);
  $("looks").addEventListener("click", togglePanel);
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
  const rooms = [room, query.get("with")].filter(Boolean);
  $("room-name").textContent = room;
  document.title = `${rooms.join(" + ")} – Parola`;
  document.body.dataset.panes = String(rooms.length);
  $("qr-code").src = qrOf(room);
  $("qr-link").href = phoneOf(room);
  $("qr-link").textContent = decodeURI(phoneOf(room));
  rooms.forEach((name, place) => open(name, place === 0, rooms.length > 1));
  const settings = new Settings(
    "parola.display",
    {
      font: oneOf("plain", "serif", "wide", "mono"),
      lines: wholeNumber(1, 12),
      letters: wholeNumber(12, 37, "30"),
      colours: oneOf("white-on-black", "yellow-on-black", "black-on-white", "white-on-blue"),
      position: oneOf("top", "bottom"),
      color: hex,
      background: hex,
    },
    dress,
  );
  settings.bind($("panel"));
  offerSizes({ smaller: $("smaller"), larger: $("larger"), changed: layOut });
  new ResizeObserver(layOut).observe($("panes"));
  for (const screen of screens) screen.open();
}

listenToKeys();
hideWhatRests();
stayAwake();
start();
