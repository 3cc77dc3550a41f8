/** The operator's page: all rooms, and the one that is open, to be put right while it is said. */

import { Lines } from "./console-lines.js";
import { RoomCards } from "./console-rooms.js";
import { Rules } from "./console-rules.js";
import { WithheldList } from "./console-withheld.js";
import { Feed } from "./feed.js";
import { learned } from "./learned.js";
import * as operate from "./operate.js";
import { rooms as askRooms } from "./requests.js";

const LOOK_MS = 1000;

/** The operator's name, remembered on this device. */
const NAME = "parola.operator";

const $ = (id) => document.getElementById(id);

let room = "";
let feed = null;
let known = [];

const by = () => $("operator").value.trim();

const cards = new RoomCards($("rooms"), $("card"), open);
const withheld = new WithheldList($("withheld-box"), attempt);
const rules = new Rules({ room: () => room, by, report: attempt });
const lines = new Lines($("lines"), $("text"), { correct, strike, say });

function say(text) {
  $("note").textContent = text;
}

/** Does something and shows what the server says against it; returns whether it was done. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    $("error").textContent = error.message;
    $("error").hidden = false;
    return false;
  }
  $("error").hidden = true;
  return true;
}

async function correct(line, text) {
  const before = line.text;
  const where = room;
  try {
    const { version, saved } = await operate.correct(where, line, text, by());
    lines.edit({ type: "correction", of: line.seq, text, seq: version });
    say(saved ? "Saved." : "Shown; it will be saved when the store works again.");
  } catch (error) {
    if (error.code === "edit_conflict" && error.body?.current) {
      // Seen now: the next Enter is made on what the other one wrote.
      const { version, text: theirs, struck } = error.body.current;
      const type = struck ? "strike" : "correction";
      lines.edit({ type, of: line.seq, text: struck ? undefined : theirs, seq: version });
      const now = struck ? "struck it" : `changed it to “${theirs}”`;
      say(`Somebody else has ${now}. Enter saves yours, Esc keeps theirs.`);
      return false;
    }
    await attempt(() => Promise.reject(error));
    return false;
  }
  $("error").hidden = true;
  offer(learned(before, text));
  return true;
}

async function strike(line) {
  await attempt(async () => {
    const { struck, text } = line;
    const { version } = await operate.strike(room, line, by());
    // The text of a line that was struck before this page came is told by the room's own feed.
    if (!struck) lines.edit({ type: "strike", of: line.seq, seq: version });
    else if (text) lines.edit({ type: "restore", of: line.seq, text, seq: version });
    say(struck ? "Restored." : "Struck: it is on no screen and in no file.");
  });
}

function offer(rule) {
  $("offer").hidden = !rule;
  if (!rule) return;
  $("offer-text").textContent = `Always write “${rule.heard}” as “${rule.shown}”?`;
  $("offer-room").onclick = () => answer(room, rule);
  $("offer-event").onclick = () => answer("", rule);
}

async function answer(where, rule) {
  $("offer").hidden = true;
  await rules.add(where, rule);
  say(`“${rule.heard}” will be written “${rule.shown}”.`);
}

function open(name) {
  feed?.close();
  room = name;
  lines.clear();
  $("guess").textContent = "";
  $("offer").hidden = $("error").hidden = true;
  say("");
  $("room").hidden = $("side").hidden = false;
  $("room-name").textContent = name;
  const address = new URL(location.href);
  address.searchParams.set("room", name);
  history.replaceState(null, "", address);
  feed = new Feed(name, { onSegment: take, onEdit: (edit) => lines.edit(edit), onLink }, { partial: true });
  feed.open();
  rules.load();
  show();
  if (innerWidth < 1120) $("room").scrollIntoView();
}

function take(frame) {
  if (frame.is_partial) {
    $("guess").textContent = frame.text;
  } else {
    $("guess").textContent = "";
    lines.add(frame);
  }
}

function onLink(link, reason) {
  if (link === "lost") say("The connection is gone; it comes back by itself.");
  else if (link === "refused") say(reason);
  else say("");
}

function show() {
  cards.show(known, room);
  $("no-rooms").hidden = known.length > 0;
  const alarms = known.reduce((sum, { alarms: list }) => sum + list.length, 0);
  const speaking = known.filter(({ level_dbfs: level }) => level !== null).length;
  const count = `${speaking} of ${known.length} rooms live`;
  $("summary").textContent = alarms ? `${count}, ${alarms} alarm${alarms > 1 ? "s" : ""}` : count;
  const here = known.find(({ name }) => name === room);
  withheld.show(room, here?.withheld_words ?? 0);
  const mode = here?.mode ?? "live";
  $("pause").setAttribute("aria-pressed", String(mode === "paused"));
  $("off-record").setAttribute("aria-pressed", String(mode === "off_record"));
  $("hide").setAttribute("aria-pressed", String(mode === "hidden"));
}

async function look() {
  try {
    known = (await askRooms()).rooms;
    show();
  } catch (error) {
    $("summary").textContent = error.message;
  }
  setTimeout(look, LOOK_MS);
}

async function turn(id, mode) {
  const isOn = $(id).getAttribute("aria-pressed") === "true";
  if (!(await attempt(() => operate.setMode(room, isOn ? "live" : mode, by())))) return;
  known = (await askRooms()).rooms;
  show();
}

function start() {
  try {
    $("operator").value = localStorage.getItem(NAME) ?? "";
  } catch {
    // A browser may forbid storage: then the name is for this visit.
  }
  $("operator").addEventListener("change", () => {
    try {
      localStorage.setItem(NAME, by());
    } catch {
      // As above.
    }
  });
  $("pause").onclick = () => turn("pause", "paused");
  $("off-record").onclick = () => turn("off-record", "off_record");
  $("hide").onclick = () => turn("hide", "hidden");
  $("offer-no").onclick = () => offer(null);
  const wanted = new URLSearchParams(location.search).get("room");
  if (wanted) open(wanted);
  look();
}

start();
