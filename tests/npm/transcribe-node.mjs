// Official JavaScript client of Amazon Transcribe in Node, driven by lines of JSON as
// tests/sdks/python_sdks.py is.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { play } from "./transcribe-case.mjs";

const credentials = {
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
};
// What a broken connection throws beside the stream is counted, not fatal.
let strays = [];
process.on("unhandledRejection", (error) => strays.push(String(error?.message ?? error)));
process.on("uncaughtException", (error) => strays.push(String(error?.message ?? error)));

for await (const line of createInterface({ input: process.stdin })) {
  const test = JSON.parse(line);
  strays = [];
  const went = await play(test, await readFile(test.audio), credentials);
  console.log(JSON.stringify({ ...went, strays }));
  if (went.hung) process.exit(0);
}
