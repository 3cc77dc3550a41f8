/** The home page: plays something into a room, shows it at once, and lists all rooms. */

import { Preview } from "./preview.js";
import * as server from "./requests.js";
import { RoomList } from "./rooms.js";
import { clock } from "./words.js";

/** How often the rooms are asked for; oftener while the chosen room plays, for its clock. */
const POLL_MS = 3000;
const POLL_PLAYING_MS = 1000;

const $ = (id) => document.getElementById(id);

const preview = new Preview();
const list = new RoomList({
  table: $("rooms"),
  template: $("room-row"),
  empty: $("rooms-empty"),
});

let maxUploadMb = Infinity;
let uploading = null;
let pollTimer = 0;
let lastRooms = [];
let introduced = false;

/** Whether the visitor started something that is not in the list of rooms yet. */
let started = false;

/** The room last settled on. While somebody types, the field holds a name nobody meant. */
let room = "main";

// --- What the visitor chose ---------------------------------------------------------------------

function settleRoom() {
  room = $("room").value.trim();
  showChosen();
}

/** Returns what is wrong with the room's name before it becomes part of an address, or "". */
function wrongRoom() {
  if (!room) return "Please name a room, for example main.";
  // The server refuses these too, but an address with them never reaches it.
  if (/[/\\]/.test(room) || room === "." || room === "..") {
    return "A room name cannot hold a slash or be only dots.";
  }
  return "";
}

function complain(message) {
  if ($("error").textContent !== message) $("error").textContent = message;
  $("error").hidden = !message;
}

/** Runs an action for the chosen room, and says in words what went wrong with it. */
async function act(action) {
  settleRoom();
  complain(wrongRoom());
  if (wrongRoom()) {
    $("room").focus();
    return;
  }
  try {
    await action(room); // As it is now: the visitor may choose another one meanwhile.
  } catch (error) {
    if (error.name === "AbortError") return;
    complain(error.message);
    if (!(error instanceof server.Refused)) throw error;
  } finally {
    poll();
  }
}

// --- Playing ------------------------------------------------------------------------------------

function playSample() {
  return act(async (target) => {
    $("play-sample").disabled = true; // A second click would only be told that the room is busy.
    try {
      await server.playSample(target);
      present(target);
    } finally {
      $("play-sample").disabled = false;
    }
  });
}

function send(files) {
  if (files.length !== 1) {
    complain("Please drop one audio or video file at a time.");
    return undefined;
  }
  return act((target) => sendOne(target, files[0]));
}

async function sendOne(target, file) {
  if (uploading) throw new server.Refused("An upload is running; wait for it or cancel it first.");
  if (!file.size) throw new server.Refused(`${file.name} is empty, or a folder.`);
  if (file.size > maxUploadMb * 2 ** 20) {
    throw new server.Refused(`${file.name} is larger than the ${maxUploadMb} MB this server takes.`);
  }
  const language = $("language").value.trim();
  if (!language) throw new server.Refused("Please say the language of your file, such as en-US.");
  uploading = new AbortController();
  $("upload").hidden = false;
  const progress = (share) => {
    const rest = share < 1 ? `${Math.floor(share * 100)} %` : "being read…";
    $("upload-text").textContent = `${file.name}: ${rest}`;
    $("progress").value = share;
  };
  progress(0);
  try {
    const { signal } = uploading;
    await server.upload(target, file, language, { progress, signal });
    present(target);
  } finally {
    uploading = null;
    $("upload").hidden = true;
  }
}

/** Shows what the visitor has just started to play. */
function present(target) {
  if (target !== room) return;
  preview.watch(target);
  started = true;
}

function showPlaying(playing) {
  $("playing").hidden = !playing;
  if (!playing) return;
  if (started) {
    // On a phone the preview is below the buttons: who pressed one came for the text.
    $("preview").scrollIntoView({ block: "nearest" });
    started = false;
  }
  const { name, seconds, position_s: position } = playing;
  const length = seconds ? ` / ${clock(seconds)}` : "";
  $("playing-text").textContent = `Playing ${name}, ${clock(position)}${length}`;
  $("position").value = seconds ? Math.min(1, position / seconds) : 0;
}

// --- The rooms ----------------------------------------------------------------------------------

/** Follows the chosen room: its screen, what plays in it, and its text if there is any. */
function showChosen() {
  const known = lastRooms.find(({ name }) => name === room);
  const shown = wrongRoom() ? "main" : room;
  $("big-screen").href = server.screenOf(shown);
  $("phone-page").href = server.phoneOf(shown);
  $("overlay-page").href = server.overlayOf(shown);
  $("mic-page").href = server.micOf(shown);
  showPlaying(known?.playing);
  // A preview counts as a reader, so it does not open rooms that nobody uses yet.
  if (known && (known.entries > 0 || known.state !== "idle")) preview.watch(room);
  else if (room !== preview.room) preview.watch("");
  return Boolean(known?.playing);
}

async function poll() {
  clearTimeout(pollTimer);
  if (document.hidden) return;
  try {
    if (!introduced) await introduce();
    const { rooms, now } = await server.rooms();
    lastRooms = rooms;
    list.show(rooms, now);
    $("rooms-note").hidden = true;
  } catch (error) {
    if (!(error instanceof server.Refused)) throw error;
    $("rooms-note").textContent = `${error.message} Trying again; the list may be out of date.`;
    $("rooms-note").hidden = false;
  } finally {
    const playing = showChosen();
    clearTimeout(pollTimer);
    pollTimer = setTimeout(poll, playing ? POLL_PLAYING_MS : POLL_MS);
  }
}

async function introduce() {
  const told = await server.about();
  maxUploadMb = told.max_upload_mb;
  $("version").textContent = `Parola ${told.version}`;
  $("language").value ||= told.default_language;
  const languages = new Set([told.default_language, ...told.languages]);
  $("languages").replaceChildren(...[...languages].map((tag) => new Option(tag)));
  $("play-sample").title = `${told.sample.title}, ${clock(told.sample.seconds)}`;
  const notes = told.engines.filter(({ note }) => note);
  const admitted = notes.map(({ name, note }) => `${name} – ${note}`);
  $("engine-note").textContent = `Recogniser: ${admitted.join("; ")}`;
  $("engine-note").hidden = notes.length === 0;
  introduced = true;
}

// --- Wiring -------------------------------------------------------------------------------------

$("try").addEventListener("submit", (event) => {
  event.preventDefault();
  playSample();
});
$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => {
  const files = [...$("file").files];
  $("file").value = ""; // So that the same file can be chosen again.
  if (files.length) await send(files);
});
$("cancel").addEventListener("click", () => uploading?.abort());
$("stop").addEventListener("click", () => act(server.stopPlayback));
$("room").addEventListener("change", () => {
  complain("");
  settleRoom();
});

// A file that misses the card must not replace the page by itself.
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("drop", (event) => event.preventDefault());
$("drop").addEventListener("dragover", (event) => {
  if (event.dataTransfer.types.includes("Files")) $("drop").dataset.over = "";
});
$("drop").addEventListener("dragleave", (event) => {
  if (!$("drop").contains(event.relatedTarget)) delete $("drop").dataset.over;
});
$("drop").addEventListener("drop", (event) => {
  delete $("drop").dataset.over;
  send([...event.dataTransfer.files]);
});

document.addEventListener("visibilitychange", poll);
settleRoom(); // A browser may have kept what was typed before a reload.
poll();
