// The same client's browser build, for a page to call.
import { play } from "./transcribe-case.mjs";

globalThis.playCase = async (test, credentials) => {
  const audio = await (await fetch(test.audio)).arrayBuffer();
  return play(test, new Uint8Array(audio), credentials);
};
