// Plays one case through the official JavaScript client, in Node and in a browser alike.
import * as sdk from "@aws-sdk/client-transcribe-streaming";

const CHUNK_BYTES = 3200;

/** Resolves after the case's patience: not every fault is an end. */
const patience = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000, true));

/** The SDK's own name of an exception's class, else the name that it bears. */
const named = (error) => {
  const own = Object.keys(sdk).find((name) => sdk[name] === error?.constructor);
  return own ?? `other:${error?.name}`;
};

async function* speech(pcm, ends, over) {
  for (let at = 0; at < pcm.length; at += CHUNK_BYTES) {
    yield { AudioEvent: { AudioChunk: pcm.subarray(at, at + CHUNK_BYTES) } };
  }
  if (!ends) await over;
}

/** Takes `{url, language, ends, enough, patience_s}` and the samples; tells how it went. */
export const play = async (test, pcm, credentials) => {
  const client = new sdk.TranscribeStreamingClient({
    region: "eu-west-1",
    endpoint: test.url,
    credentials,
    maxAttempts: 1,
  });
  const went = { finals: [], partials: 0, raised: "", message: "", hung: false };
  let finish;
  const over = new Promise((resolve) => { finish = resolve; });
  const converse = async () => {
    const answer = await client.send(new sdk.StartStreamTranscriptionCommand({
      LanguageCode: test.language,
      MediaEncoding: "pcm",
      MediaSampleRateHertz: 16000,
      AudioStream: speech(pcm, test.ends, over),
    }));
    for await (const event of answer.TranscriptResultStream) {
      for (const result of event.TranscriptEvent?.Transcript?.Results ?? []) {
        if (result.IsPartial) went.partials += 1;
        else went.finals.push(result.Alternatives[0].Transcript);
      }
      if (test.enough && went.finals.length >= test.enough) break;
    }
    return false;
  };
  try {
    went.hung = await Promise.race([converse(), patience(test.patience_s)]);
  } catch (error) {
    went.raised = named(error);
    went.message = String(error?.message ?? error);
  }
  finish();
  if (!went.hung) client.destroy();
  return went;
};
