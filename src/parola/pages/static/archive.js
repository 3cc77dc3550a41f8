/** The archive: every talk, and a search in all of them as one types. */

import { ask } from "./requests.js";

/** A pause in typing this long asks the server. */
const TYPED_MS = 200;

const $ = (id) => document.getElementById(id);

let asked = 0;

/** Returns the address of a talk, at a second of it. */
const talkOf = ({ room, session }, second = null) =>
  `/archive/${encodeURIComponent(room)}?${new URLSearchParams({ session })}${second === null ? "" : `#s${second}`}`;

const when = (iso) =>
  new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

function entry(name, address, title, time, text = "") {
  const item = document.createElement("li");
  item.className = name;
  const link = document.createElement("a");
  link.href = address;
  link.dir = "auto";
  link.textContent = title;
  const said = document.createElement("span");
  said.className = "when";
  said.textContent = time;
  item.append(link, said);
  if (text) {
    const words = document.createElement("span");
    words.dir = "auto";
    words.textContent = text;
    item.append(words);
  }
  return item;
}

async function search() {
  const q = $("q").value;
  const turn = (asked += 1);
  const address = new URL(location.href);
  if (q) address.searchParams.set("q", q);
  else address.searchParams.delete("q");
  history.replaceState(null, "", address);
  if (!q.trim()) {
    $("found").replaceChildren();
    $("note").textContent = "";
    return;
  }
  try {
    const answer = await ask("GET", `/api/search?${new URLSearchParams({ q })}`);
    const { lines } = await answer.json();
    if (turn !== asked) return;
    $("note").textContent =
      lines.length === 0 ? "Nothing found." : `${lines.length} line${lines.length > 1 ? "s" : ""}`;
    $("found").replaceChildren(
      ...lines.map((line) =>
        entry("hit", talkOf(line, line.start_s), line.room, when(line.at), line.text),
      ),
    );
  } catch (error) {
    $("note").textContent = error.message;
  }
}

async function list() {
  try {
    const { talks } = await (await ask("GET", "/api/talks")).json();
    $("talks").replaceChildren(
      ...talks.map((talk) => {
        const end = talk.ended_at ? "" : ", not ended";
        const facts = `${when(talk.started_at)}${end} · ${talk.language} · ${talk.lines} lines`;
        const item = entry("talk", talkOf(talk), talk.room, facts);
        item.dataset.session = talk.session;
        return item;
      }),
    );
    if (!talks.length) $("talks").append("No talk has been written down yet.");
  } catch (error) {
    $("note").textContent = error.message;
  }
}

let timer = 0;
$("search").addEventListener("submit", (event) => event.preventDefault());
$("q").addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, TYPED_MS);
});
$("q").value = new URLSearchParams(location.search).get("q") ?? "";
search();
list();
