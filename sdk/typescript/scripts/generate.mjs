// Writes openapi.json, a snapshot of what a server says of itself, and src/openapi.ts, the types made of it:
//   npm run generate -- http://127.0.0.1:8080      (or a file with the document)
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import openapiTypescript, { astToString } from "openapi-typescript";

const HEAD = "// Made by `npm run generate` of openapi.json. Do not edit.\n";

/** The document as the snapshot has it: without what differs from one build to the next. */
export function snapshotOf(document) {
  return `${JSON.stringify({ ...document, info: { ...document.info, version: "0" } }, null, 1)}\n`;
}

/** The types of a document. */
export async function typesOf(document) {
  const copy = structuredClone(document);
  // Ids of operations must differ for the generator to name types after them; without ids it writes them in place.
  for (const path of Object.values(copy.paths)) {
    for (const operation of Object.values(path)) delete operation.operationId;
  }
  return HEAD + astToString(await openapiTypescript(copy, { emptyObjectsUnknown: true, silent: true }));
}

/** The document of a server or a file. */
export async function documentOf(source) {
  if (!/^https?:/.test(source)) return JSON.parse(await readFile(source, "utf8"));
  const response = await fetch(new URL("/openapi.json", source));
  if (!response.ok) throw new Error(`${source} answered ${response.status}`);
  return response.json();
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const source = process.argv[2];
  if (!source) throw new Error("say of which server or file: npm run generate -- http://127.0.0.1:8080");
  const document = await documentOf(source);
  await writeFile(new URL("../openapi.json", import.meta.url), snapshotOf(document));
  await writeFile(new URL("../src/openapi.ts", import.meta.url), await typesOf(document));
}
