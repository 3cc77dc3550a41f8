/** The microphone page: speak into a room from a browser, and see that it arrives. */

import { stayAwake } from "./awake.js";
import { Feed } from "./feed.js";
import { LANGUAGES, languageFor, speak, t } from "./i18n.js";
import { Messages } from "./messages.js";
import { Meter } from "./meter.js";
import { Microphone, microphones, Unheard } from "./microphone.js";
import { roomOfAddress } from "./reading.js";
import { about } from "./requests.js";
import { oneOf, Settings } from "./settings.js";
import { Shelf } from "./shelf.js";
import { claim, Talk } from "./speaking.js";
import { clock } from "./words.js";

const LOOK_MS = 500;

/** More than this waits for the server: worth a word. */
const BEHIND_S = 3;

/** How long the page before this one may take to be gone. */
const PATIENCE_MS = 3000;

/** The states of a room whose talk is to be kept nowhere. */
const OFF_THE_RECORD = new Set(["off_record", "paused"]);

/** Which talk this very tab speaks; it outlives a reload and a crash of the tab. */
const MINE = "parola.microphone.talk";

const $ = (id) => document.getElementById(id);

const known = { link: "off", reason: "", engine: "", detail: "", room: "idle", recorded: false };
let talk = null;
let microphone = null;
let opening = false;
let ending = false;
let held = false;
let values = {};
let dressed = null;
let feed = null;
let read = "";

const messages = new Messages($("messages"), $("no-news"));
const meter = new Meter($("level"), $("level-note"));
const shelf = new Shelf(show);

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function complain(text) {
  write($("error"), text);
  $("error").hidden = !text;
}

// --- What is shown ------------------------------------------------------------------------------

function stage() {
  if (!talk) return opening ? "opening" : "off";
  if (ending) return "ending";
  if (known.link !== "open") return known.link === "lost" ? "lost" : "connecting";
  if (!microphone) return "unplugged";
  if (held) return "held";
  return known.engine === "recovering" ? "recovering" : "live";
}

function show() {
  const now = stage();
  document.body.dataset.stage = now;
  const speaking = Boolean(talk) && !ending;
  write($("status"), t(`mic-${now}`));
  $("state").dataset.tone = { live: "live", lost: "bad", unplugged: "bad" }[now] ?? "quiet";
  write($("go"), t(held && speaking ? "mic-resume" : speaking ? "mic-stop" : "mic-start"));
  $("go").disabled = opening || ending;
  for (const name of ["room", "language"]) $(name).disabled = opening || Boolean(talk);
  write($("why"), explained(now));
  write($("length"), talk ? clock(talk.lengthS) : "0:00");
  $("numbers").hidden = !talk;
  write($("sent"), talk ? safety() : "");
}

function explained(now) {
  if (now === "lost") return [known.reason, t("mic-kept")].filter(Boolean).join(" ");
  if (now === "recovering") return known.detail;
  if (now === "live" && OFF_THE_RECORD.has(known.room)) return t("mic-off-record");
  if (now === "live" && known.recorded) return t("mic-recorded");
  if (now === "live" && !shelf.works) return t("mic-memory-only");
  return "";
}

function safety() {
  if (talk.lostS) return t("mic-dropped", { seconds: Math.ceil(talk.lostS) });
  if (talk.unsentS < BEHIND_S) return t("mic-arrived");
  return t("mic-unsent", { seconds: Math.round(talk.unsentS) });
}

// --- Speaking -----------------------------------------------------------------------------------

async function start() {
  complain("");
  settleRoom();
  const wrong = wrongRoom();
  if (wrong || !$("language").value.trim()) {
    complain(wrong || t("mic-language-missing"));
    (wrong ? $("room") : $("language")).focus();
    return;
  }
  opening = true;
  show();
  try {
    await listen();
    if (microphone) await begin();
  } finally {
    opening = false;
    show();
  }
}

/** Opens the chosen microphone, or says why it cannot be heard. */
async function listen() {
  try {
    meter.start();
    microphone = await Microphone.open(values.device, values.sound === "cleaned", {
      heard(sound) {
        meter.take(sound);
        talk?.hear(sound.pcm);
      },
      lost: unplugged,
      running(runs) {
        held = !runs;
        show();
      },
    });
    stayAwake();
    await offerDevices();
  } catch (error) {
    if (!(error instanceof Unheard)) throw error;
    complain(t(`mic-${error.trouble}`));
  }
}

async function begin() {
  const session = crypto.randomUUID();
  const language = $("language").value.trim();
  const kept = { session, room: values.room, language, first: 0 };
  await claim(kept);
  take(kept);
  sessionStorage.setItem(MINE, session);
  talk.open();
}

function take(kept) {
  known.engine = known.reason = "";
  ending = false;
  talk = new Talk(kept, shelf, {
    link: linked,
    safe: show,
    state(state, detail) {
      known.engine = state;
      known.detail = detail;
      show();
    },
    recorded(isKept) {
      known.recorded = isKept;
      show();
    },
  });
}

async function linked(link, reason) {
  known.link = link;
  known.reason = reason;
  if (link === "done" || link === "refused") {
    sessionStorage.removeItem(MINE);
    talk = null;
    ending = false;
    if (link === "refused") complain(reason || t("mic-no-server"));
    await hush();
  }
  show();
}

async function stop() {
  ending = true;
  show();
  await hush();
  talk?.end();
}

async function hush() {
  const closing = microphone;
  microphone = null;
  held = false;
  await closing?.close();
  meter.stop();
}

/** The microphone has gone in mid-talk: the talk waits for another one. */
async function unplugged() {
  await hush();
  complain(t("mic-gone"));
  show();
  await replug();
}

async function replug() {
  await offerDevices();
  if (!talk || ending || microphone || opening) return;
  opening = true;
  await listen();
  opening = false;
  if (microphone) complain("");
  show();
}

/** Takes up what this tab was saying when it was reloaded, and what other tabs have left behind. */
async function goOn() {
  const mine = sessionStorage.getItem(MINE);
  for (const kept of await shelf.open()) {
    const isMine = kept.session === mine;
    if (!(await claim(kept, isMine ? PATIENCE_MS : 0))) continue;
    if (isMine) await resume(kept);
    else await deliver(kept);
  }
}

async function resume(kept) {
  choose("room", kept.room);
  $("language").value = kept.language;
  settleRoom();
  take(kept);
  await talk.recall();
  talk.bridge();
  talk.open();
  show();
  await replug();
}

/** Sends what a tab that is no more had heard, and ends its talk. */
async function deliver(kept) {
  const left = new Talk(kept, shelf, {
    link() {},
    state() {},
  });
  await left.recall();
  left.open();
  left.end();
}

// --- What was chosen ----------------------------------------------------------------------------

function choose(name, value) {
  settings.set(name, value);
  $(name).value = value;
}

function wrongRoom() {
  const room = values.room;
  if (!room) return t("mic-room-missing");
  return /[/\\]/.test(room) || room === "." || room === ".." ? t("mic-room-wrong") : "";
}

/** Follows the chosen room: its words, and whether it is off the record. */
function settleRoom() {
  settings.set("room", $("room").value.trim());
  $("screen").href = `/rooms/${encodeURIComponent(values.room || "main")}`;
  if (read === values.room || wrongRoom()) return;
  read = values.room;
  feed?.close();
  messages.clear();
  write($("partial"), "");
  feed = new Feed(read, { onSegment, onState }, { partial: true });
  feed.open();
}

function onSegment(frame) {
  write($("partial"), frame.is_partial ? frame.text : "");
  if (!frame.is_partial) messages.put(frame);
}

function onState({ state, at }) {
  if (at) messages.setClock(Date.parse(at));
  known.room = state;
  talk?.offTheRecord(OFF_THE_RECORD.has(state));
  show();
}

async function offerDevices() {
  const found = await microphones();
  const options = found.map(({ deviceId, label }) => new Option(label || deviceId, deviceId));
  const first = new Option(t("mic-default"), "");
  $("device").replaceChildren(first, ...options.filter(({ value }) => value !== "default"));
  const there = found.some(({ deviceId }) => deviceId === values.device);
  $("device").value = there ? values.device : "";
}

async function introduce() {
  try {
    const told = await about();
    $("language").value ||= told.default_language;
    const languages = new Set([told.default_language, ...told.languages]);
    $("languages").replaceChildren(...[...languages].map((tag) => new Option(tag)));
  } catch (error) {
    complain(error.message);
  }
}

async function dress(chosen) {
  const before = values;
  values = chosen;
  await speak(languageFor(chosen.page));
  $("page").value = document.documentElement.lang;
  show();
  messages.look();
  const other = before.device !== chosen.device || before.sound !== chosen.sound;
  if (microphone && other && !opening) {
    await hush();
    await replug();
  }
}

/** Anything: a device's name is the browser's business, a room's the server's. */
const anything = (fallback) => ({ fallback, allows: () => true });

for (const [tag, name] of Object.entries(LANGUAGES)) $("page").append(new Option(name, tag));
const settings = new Settings(
  "parola.microphone",
  {
    room: anything("main"),
    language: anything(""),
    device: anything(""),
    sound: oneOf("raw", "cleaned"),
    page: oneOf("", ...Object.keys(LANGUAGES)),
  },
  (chosen) => (dressed = dress(chosen)),
);

async function open() {
  await dressed;
  settings.bind($("controls"));
  $("page").value = languageFor(values.page);
  try {
    const named = location.pathname.startsWith("/rooms/") ? roomOfAddress() : "";
    if (named) choose("room", named);
  } catch {
    complain(t("broken"));
  }
  $("controls").addEventListener("submit", () => {
    if (held) microphone.resume();
    else if (talk) stop();
    else start();
  });
  $("room").addEventListener("change", settleRoom);
  navigator.mediaDevices?.addEventListener("devicechange", replug);
  // What is not kept anywhere else dies with the tab: the browser asks before it does.
  window.addEventListener("beforeunload", (event) => {
    if (talk?.unsafeS && !shelf.works) event.preventDefault();
  });
  setInterval(show, LOOK_MS);
  if (!window.isSecureContext) complain(t("mic-insecure"));
  settleRoom();
  await introduce();
  await offerDevices();
  await goOn();
  document.body.dataset.ready = "";
}

open();
