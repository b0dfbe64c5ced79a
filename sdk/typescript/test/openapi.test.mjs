// Whether the types are those of the server that is there.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import { snapshotOf, typesOf } from "../scripts/generate.mjs";
import { startServer } from "./support/server.mjs";

it("the types are made of what the server says of itself today", async (t) => {
  const server = await startServer((end) => t.after(end));
  const document = await server.openapi();
  const kept = (name) => readFile(new URL(`../${name}`, import.meta.url), "utf8");
  const hint = "is of another server: run `npm run generate -- <base URL of this one>` and look at the difference";
  assert.ok((await kept("openapi.json")) === snapshotOf(document), `openapi.json ${hint}`);
  assert.ok((await kept("src/openapi.ts")) === (await typesOf(document)), `src/openapi.ts ${hint}`);
});
