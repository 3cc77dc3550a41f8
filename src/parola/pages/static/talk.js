/** One talk to be read again: its lines with their times, its picture, its files. */

import { showCurve } from "./mood.js";
import { roomOfAddress } from "./reading.js";
import { Playing, timed } from "./playing.js";
import { ask, recordingOf, transcript, transcriptOf } from "./requests.js";
import { gaps, lags, timeline } from "./timeline.js";

const $ = (id) => document.getElementById(id);

const playing = new Playing($("sound"), $("lines"));

const clock = (seconds) => {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`;
};

function said(line) {
  const item = document.createElement("li");
  item.className = "said";
  item.dataset.seq = line.seq;
  item.id = `s${line.start_s}`;
  const at = document.createElement("button");
  at.type = "button";
  at.className = "at";
  at.textContent = clock(line.start_s);
  at.addEventListener("click", () => {
    playing.show(line);
    playing.from(line.start_s);
  });
  const words = document.createElement("span");
  words.dir = "auto";
  words.lang = line.language;
  if (line.speaker) {
    const speaker = document.createElement("span");
    speaker.className = "speaker";
    speaker.textContent = `${line.speaker}: `;
    words.append(speaker);
  }
  words.append(...timed(line));
  if (line.made_by === "corrected") {
    const mark = document.createElement("span");
    mark.className = "edited";
    mark.textContent = " corrected";
    mark.title = `Heard: ${line.heard}`;
    words.append(mark);
  }
  item.append(at, words);
  return item;
}

/** Offers sound to be heard beside the words. */
function play(address) {
  $("sound").src = address;
  $("sound").hidden = false;
  $("no-recording").hidden = true;
  document.body.dataset.sound = "";
}

function offerFiles(room, session) {
  for (const form of ["srt", "vtt", "txt", "json"]) {
    const link = document.createElement("a");
    link.href = `${transcriptOf(room, form)}?${new URLSearchParams({ session })}`;
    link.download = `${room}.${form}`;
    link.textContent = `.${form}`;
    $("files").append(link);
  }
}

async function load() {
  const room = roomOfAddress();
  $("title").textContent = room;
  document.title = `${room} – Parola`;
  const { talks } = await (await ask("GET", "/api/talks")).json();
  const wanted = new URLSearchParams(location.search).get("session");
  const talk = talks.find((one) => one.room === room && (!wanted || one.session === wanted));
  if (!talk) {
    $("note").textContent = "There is no such talk in this room.";
    return;
  }
  const lines = await transcript(room, talk.session);
  const started = new Date(talk.started_at).toLocaleString();
  $("facts").textContent = `${started} · ${talk.language} · ${lines.length} lines`;
  offerFiles(room, talk.session);
  if (talk.recording) play(recordingOf(room, talk.session));
  if (!lines.length) return;
  const { count, longest_s: longest } = gaps(lines);
  const silences = count ? `${count} silence${count > 1 ? "s" : ""} of ten seconds or more, the longest ${Math.round(longest)} s` : "no long silence";
  const late = lags(lines, talk.started_at);
  const longestLag = late.length ? `text up to ${Math.ceil(Math.max(...late))} s late` : "";
  const facts = [silences, longestLag].filter(Boolean).join(", ");
  $("gaps").textContent = `· ${facts}`;
  $("lag-key").hidden = !late.length;
  const over = clock(lines.at(-1).end_s);
  $("timeline").append(timeline(lines, late, `Speech, its speed and its lag over ${over}: ${facts}`));
  $("picture").hidden = false;
  showCurve($("mood"), room, talk.session);
  $("lines").append(...lines.map(said));
  playing.lines = lines;
  const target = document.getElementById(location.hash.slice(1));
  if (target) {
    target.scrollIntoView({ block: "center" });
    target.setAttribute("aria-current", "true");
  }
}

$("recording").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  play(URL.createObjectURL(file));
});
$("sound").addEventListener("error", () => {
  $("note").textContent = "This browser cannot play the sound.";
});
load().catch((error) => ($("note").textContent = error.message));
