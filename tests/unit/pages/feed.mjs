/**
 * Runs many pages' feeds without a browser: a JSON list of jobs on stdin, the results on stdout.
 * Its argument is the folder of the pages' scripts.
 */
import { readFileSync } from "node:fs";

const load = (name) =>
  import(`data:text/javascript,${encodeURIComponent(readFileSync(`${process.argv[2]}/${name}`))}`);

let sockets = [];
let waits = [];
globalThis.location = { href: "http://127.0.0.1/", protocol: "http:" };
globalThis.window = { addEventListener() {} };
globalThis.document = { addEventListener() {} };
globalThis.WebSocket = class {
  constructor() {
    sockets.push(this);
  }
  close() {}
};
globalThis.setTimeout = (_, ms) => waits.push(ms);
globalThis.clearTimeout = () => {};
const { Feed } = await load("feed.js");

const jobs = JSON.parse(readFileSync(0));
const results = jobs.map(({ pages, retry_s, code }) =>
  Array.from({ length: pages }, () => {
    new Feed("main", { onSegment() {} }).open();
    const socket = sockets.pop();
    socket.onopen();
    socket.onmessage({ data: JSON.stringify({ type: "state", state: "idle", retry_s }) });
    waits = [];
    socket.onclose({ code, reason: "" });
    return waits[0];
  }),
);
process.stdout.write(JSON.stringify(results));
