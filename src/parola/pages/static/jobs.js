/** Recordings: sends them in, and shows how far each of them is. */

import { about, ask, sendFile } from "./requests.js";

const FORMATS = ["srt", "vtt", "txt", "json"];

const $ = (id) => document.getElementById(id);

/** What watches a job, by the job's id. */
const sockets = new Map();

const under = (id) => `/api/jobs/${encodeURIComponent(id)}`;

function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Says how many words its text lacks. */
function withheld({ withheld_words: words }) {
  if (!words) return "";
  return ` ${words} ${words === 1 ? "word" : "words"} withheld: no speech under ${words === 1 ? "it" : "them"}.`;
}

/** Returns how a job stands, in words. */
function facts(job) {
  const of = job.seconds === null ? "" : ` of ${clock(job.seconds)}`;
  switch (job.status) {
    case "queued":
      return job.ahead ? `Waits; ${job.ahead} before it.` : "Waits for its turn.";
    case "running":
      return `Is being written down: ${clock(job.done_s)}${of}.`;
    case "done":
      return `Done: ${clock(job.done_s)} of sound.${withheld(job)}`;
    default:
      return job.error.message;
  }
}

function link(job, format) {
  const item = document.createElement("a");
  item.href = `${under(job.id)}/transcript.${format}`;
  item.download = "";
  item.textContent = `.${format}`;
  item.setAttribute("aria-label", `Text of ${job.name} as .${format}`);
  return item;
}

function show(job) {
  const item = document.querySelector(`.job[data-id="${CSS.escape(job.id)}"]`) ?? added(job);
  item.dataset.status = job.status;
  item.querySelector(".facts").textContent = facts(job);
  const bar = item.querySelector("progress");
  bar.hidden = job.status !== "running";
  if (job.seconds) bar.value = Math.min(job.done_s / job.seconds, 1);
  const files = item.querySelector(".files");
  if (job.status === "done" && !files.children.length) {
    files.append(...FORMATS.map((format) => link(job, format)));
  }
}

/** Returns a new entry of the list, with all that it will ever have: what has the focus stays. */
function added(job) {
  const item = document.createElement("li");
  item.className = "job";
  item.dataset.id = job.id;
  const title = document.createElement("h2");
  title.dir = "auto";
  title.textContent = job.name;
  const said = document.createElement("span");
  said.className = "facts";
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", `How far ${job.name} is`);
  const files = document.createElement("div");
  files.className = "files";
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Delete";
  button.setAttribute("aria-label", `Delete ${job.name}`);
  button.addEventListener("click", () => remove(job, item));
  item.append(title, said, bar, files, button);
  $("jobs").prepend(item);
  return item;
}

async function remove(job, item) {
  try {
    await ask("DELETE", under(job.id));
    $("note").textContent = `${job.name} is deleted.`;
    // Whoever uses the keyboard goes on where the entry was, and not at the top of the page.
    const next = item.nextElementSibling ?? item.previousElementSibling;
    if (item.contains(document.activeElement)) (next?.querySelector("button") ?? $("file")).focus();
    item.remove();
  } catch (error) {
    $("note").textContent = error.message;
  }
}

/** Watches a job until it is over; one whose connection breaks is asked for again. */
function watch(job) {
  show(job);
  if (["done", "failed"].includes(job.status) || sockets.has(job.id)) return;
  const origin = location.origin.replace("http", "ws");
  const socket = new WebSocket(`${origin}/ws/jobs/${encodeURIComponent(job.id)}`);
  sockets.set(job.id, socket);
  socket.addEventListener("message", ({ data }) => show(JSON.parse(data)));
  socket.addEventListener("close", ({ code }) => {
    sockets.delete(job.id);
    if (code === 1000) return;
    setTimeout(list, 3000);
  });
}

async function list() {
  try {
    const { jobs } = await (await ask("GET", "/api/jobs")).json();
    for (const gone of document.querySelectorAll(".job")) {
      if (!jobs.some(({ id }) => id === gone.dataset.id)) gone.remove();
    }
    jobs.reverse().forEach(watch);
  } catch (error) {
    $("note").textContent = error.message;
  }
}

$("send").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [file] = $("file").files;
  const query = new URLSearchParams({ name: file.name, language: $("language").value.trim() });
  const button = $("send").querySelector("button");
  button.disabled = true;
  try {
    const progress = (share) => {
      $("note").textContent = `Sending: ${Math.round(100 * share)} %`;
    };
    watch(JSON.parse(await sendFile(`/api/jobs?${query}`, file, { progress })));
    $("note").textContent = "";
    $("send").reset();
  } catch (error) {
    $("note").textContent = error.message;
  } finally {
    button.disabled = false;
  }
});

list();
try {
  $("language").placeholder = (await about()).default_language;
} catch {
  // The list says what is wrong.
}
