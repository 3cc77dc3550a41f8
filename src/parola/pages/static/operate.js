/** What the console asks of the server; every failure is a sentence for people. */

import { ask } from "./requests.js";

/** @param {string} room */
const under = (room) => `/api/rooms/${encodeURIComponent(room)}`;

const send = (method, path, body, by = "", more = {}) =>
  ask(method, path, {
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-Operator": headerSafe(by), ...more },
  });

/** Puts other words in a line's place. */
export const correct = async (room, { seq, version }, text, by) =>
  (await send("PUT", `${under(room)}/lines/${seq}`, { text, made_on: version }, by)).json();

/** Takes a line away from everybody, or brings it back. */
export const strike = async (room, { seq, version, struck }, by) => {
  const path = `${under(room)}/lines/${seq}/${struck ? "restore" : "strike"}`;
  return (await send("POST", path, { made_on: version }, by)).json();
};

/** Returns how a line stands. */
export const line = async (room, seq) => (await ask("GET", `${under(room)}/lines/${seq}`)).json();

/** Returns what nobody was shown, the newest last. */
export const withheld = async (room) =>
  (await (await ask("GET", `${under(room)}/withheld`)).json()).withheld;

/** Says what the audience is to see: "live", "paused", "off_record" or "hidden". */
export const setMode = (room, mode, by) => send("PUT", `${under(room)}/mode`, { mode }, by);

const settingsOf = (room) => (room ? `${under(room)}/settings` : "/api/event/settings");

/** Returns what is set for a room, or for every room ("" for its name). */
export const settings = async (room) => (await ask("GET", settingsOf(room))).json();

/** How often a change is made anew because somebody else was quicker. */
const ATTEMPTS = 5;

/** Changes what is set, from what is set at this moment: two operators overwrite no rule. */
export async function change(room, alter, by) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await ask("GET", settingsOf(room));
    const now = await answer.json();
    alter(now);
    const seen = { "If-Match": answer.headers.get("etag") ?? "*" };
    try {
      return (await send("PUT", settingsOf(room), now, by, seen)).json();
    } catch (error) {
      if (error.code !== "outdated" || attempt === ATTEMPTS) throw error;
    }
  }
}

/** A header holds Latin letters; others become "?", as in a log that knows no better. */
const headerSafe = (name) => name.replace(/[^\x20-\x7e\xa0-\xff]/g, "?");
