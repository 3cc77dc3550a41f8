// Writes what the JavaScript SDK knows of StartStreamTranscription, as a line of JSON.
import * as sdk from "@aws-sdk/client-transcribe-streaming";

// The SDK's schema of a structure: kind, namespace, name, traits, its members' names and schemas.
const members = (name) => sdk[`${name}$`][4];
const schemas = (name) => sdk[`${name}$`][5];
const status = (name) => sdk[`${name}$`][3].httpError ?? sdk[`${name}$`][3];

const request = "StartStreamTranscriptionRequest";
const headers = schemas(request).flatMap(([kind, traits]) =>
  traits.httpHeader ? [[traits.httpHeader, ["text", "number", "flag"][kind]]] : [],
);
const exceptions = members("TranscriptResultStream").filter((name) => name.endsWith("Exception"));
const enums = [
  "ContentIdentificationType",
  "ContentRedactionType",
  "LanguageCode",
  "MediaEncoding",
  "PartialResultsStability",
  "TranscriptFormat",
  "VocabularyFilterMethod",
];
const results = ["Alternative", "Entity", "Item", "LanguageWithScore", "Result"];
const told = (names, tell) => Object.fromEntries(names.map((name) => [name, tell(name)]));
console.log(
  JSON.stringify({
    members: members(request),
    headers: Object.fromEntries(headers),
    exceptions: told(exceptions, status),
    enums: told(enums, (name) => Object.values(sdk[name])),
    results: told(results, members),
  }),
);
