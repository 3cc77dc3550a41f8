/** The phone page: a room's text at the reader's own size and pace. */

import { Announcer } from "./announcer.js";
import { stayAwake } from "./awake.js";
import { Follower } from "./follow.js";
import { LANGUAGES, languageFor, speak, t } from "./i18n.js";
import { MoodMark } from "./mood-mark.js";
import { Painter } from "./painter.js";
import { Paragraphs } from "./paragraphs.js";
import { nowS, Reading, roomOfAddress } from "./reading.js";
import { Refused, transcript, transcriptOf } from "./requests.js";
import { Search } from "./search.js";
import { oneOf, Settings, wholeNumber } from "./settings.js";
import { roomWording } from "./words.js";

/** Paragraphs kept; a long day's, and still quick to lay out. */
const KEEP = 2000;

/** How long the first connection's past is painted before new text is announced aloud. */
const PAST_MS = 1500;

const SIZES = [100, 125, 150, 175, 200, 250, 300];
const FORMATS = ["txt", "srt", "vtt", "json"];

const $ = (id) => document.getElementById(id);

const known = { link: "connecting", reason: "", state: "idle", detail: "", madeBy: "automatic" };
let session = "";
let aloud = false;
let values = {};
let room = "";

const follower = new Follower({
  scroller: $("reader"),
  sheet: $("sheet"),
  content: $("content"),
  button: $("live"),
  label: (count) => (count ? t("follow-new", { count }) : t("follow")),
});
const paragraphs = new Paragraphs($("captions"), $("partial"), {
  keep: () => KEEP,
  cut: (pixels) => follower.cut(pixels),
  arrived: () => follower.arrived(),
});
const moodMark = new MoodMark($("mood"));
const announcer = new Announcer($("spoken"));
const painter = new Painter(
  {
    put(item) {
      paragraphs.put(item);
      if (aloud && values.announce === "on") announcer.put(item);
    },
  },
  { skips: false },
);
const search = new Search({
  form: $("find"),
  query: $("query"),
  found: $("found"),
  previous: $("previous"),
  text: $("captions"),
  hold: () => follower.hold(),
  reach: () => reachBeginning(),
});

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show() {
  const { link, state } = known;
  document.body.dataset.link = link;
  document.body.dataset.state = state;
  const live = link === "open";
  write($("status"), t(live ? state : link));
  $("state").dataset.tone = live ? roomWording(state).tone : "quiet";
  write($("credit"), t(known.madeBy));
  paragraphs.guess(values.guess === "on" ? painter.guess : "");
  moodMark.watch(values.mood === "on" && state !== "hidden" ? room : "");
  const note = painter.note(nowS());
  write($("note"), note && !paragraphs.isEmpty ? `[${t(note)}]` : "");
  $("empty").hidden = !paragraphs.isEmpty && state !== "hidden";
  write($("empty"), state === "hidden" ? t("hidden") : t("empty"));
  const trouble = link === "refused" ? known.reason || t("refused") : troubleOf(state);
  write($("error"), trouble);
  $("error").hidden = !trouble;
  follower.changed();
}

function troubleOf(state) {
  return roomWording(state).tone === "bad" ? [t(state), known.detail].filter(Boolean).join(". ") : "";
}

/** Loads what was said before the first paragraph, once: for who searches the whole talk. */
let beginning = null;
const reachBeginning = () => (session ? (beginning ??= loadBeginning()) : null);

async function loadBeginning() {
  const first = Number($("captions").querySelector("[data-seq]")?.dataset.seq ?? 0);
  let segments;
  try {
    segments = await transcript(room, session);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return; // Not saved, or not reachable: what is on the page is searched.
  }
  const pixels = paragraphs.prepend(segments.filter(({ seq }) => seq < first));
  follower.cut(-pixels);
}

async function dress(chosen) {
  values = chosen;
  const { dataset, style } = document.documentElement;
  dataset.theme = chosen.theme;
  style.setProperty("--zoom", String(Number(chosen.size) / 100));
  write($("size"), `${chosen.size} %`);
  $("smaller").disabled = chosen.size === String(SIZES[0]);
  $("larger").disabled = chosen.size === String(SIZES.at(-1));
  follower.reset();
  await speak(languageFor(chosen.language));
  $("more").elements.language.value = document.documentElement.lang;
  follower.relabel();
  show();
}

function resize(settings, step) {
  const at = SIZES.findIndex((size) => size >= Number(values.size));
  const to = SIZES[Math.min(Math.max(at + step, 0), SIZES.length - 1)];
  settings.set("size", String(to));
}

function toggle(button, panel, on = panel.hidden) {
  panel.hidden = !on;
  button.setAttribute("aria-expanded", String(on));
}

async function copy() {
  const text = [...$("captions").children].map((each) => each.textContent).join("\n");
  try {
    await navigator.clipboard.writeText(text);
    write($("copied"), t("copied"));
  } catch {
    // Browsers allow it on https and on localhost only.
    write($("copied"), t("copy-failed"));
  }
}

function listen(settings) {
  $("smaller").addEventListener("click", () => resize(settings, -1));
  $("larger").addEventListener("click", () => resize(settings, 1));
  $("copy").addEventListener("click", copy);
  $("more-open").addEventListener("click", () => {
    closeSearch();
    toggle($("more-open"), $("more"));
  });
  $("find-open").addEventListener("click", () => {
    toggle($("more-open"), $("more"), false);
    if ($("find").hidden) openSearch();
    else closeSearch();
  });
  $("find-close").addEventListener("click", () => {
    closeSearch();
    $("find-open").focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") escape();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select")) return;
    if (event.key === "/") {
      event.preventDefault();
      openSearch();
    } else if (event.key === "+" || event.key === "=") resize(settings, 1);
    else if (event.key === "-") resize(settings, -1);
  });
}

function openSearch() {
  toggle($("find-open"), $("find"), true);
  $("query").focus();
  search.look();
}

function closeSearch() {
  toggle($("find-open"), $("find"), false);
  search.end();
}

/** One thing at a time: the search, the panel, then back to live. */
function escape() {
  if (!$("find").hidden) {
    closeSearch();
    $("find-open").focus();
  } else if (!$("more").hidden) {
    toggle($("more-open"), $("more"), false);
    $("more-open").focus();
  } else follower.resume();
}

function offerFiles() {
  for (const format of FORMATS) {
    const link = document.createElement("a");
    link.href = transcriptOf(room, format);
    link.download = "";
    link.textContent = `.${format}`;
    $("files").append(" ", link);
  }
}

function read() {
  new Reading(room, painter, {
    painted: show,
    onFrame(frame) {
      if (frame.type === "state") {
        known.state = frame.state;
        known.detail = frame.detail;
      } else if (frame.type === "segment" && !frame.is_partial) {
        known.madeBy = frame.made_by;
        session = frame.session;
      }
    },
    onEdit: (edit) => paragraphs.edit(edit),
    onLink(link, reason) {
      if (link === "open") setTimeout(() => (aloud = true), PAST_MS);
      known.link = link;
      known.reason = reason;
    },
  }).open();
}

async function start() {
  for (const [tag, name] of Object.entries(LANGUAGES)) {
    $("more").elements.language.append(new Option(name, tag));
  }
  const settings = new Settings(
    "parola.phone",
    {
      size: wholeNumber(100, 300, "100"),
      theme: oneOf("auto", "light", "dark", "yellow", "sepia"),
      language: oneOf("", ...Object.keys(LANGUAGES)),
      announce: oneOf("on", "off"),
      guess: oneOf("off", "on"),
      mood: oneOf("off", "on"),
    },
    dress,
  );
  settings.bind($("more"));
  $("more").elements.language.value = languageFor(values.language);
  listen(settings);
  stayAwake();
  try {
    room = roomOfAddress();
  } catch {
    known.link = "refused";
    known.reason = t("broken");
    show();
    return;
  }
  // Only ever as text: a room's name is whatever somebody typed.
  $("room-name").textContent = room;
  document.title = `${room} – Parola`;
  offerFiles();
  read();
}

start();
