// A real server for a test file: the program itself, on a free port, with a directory and a database of its own.

import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
const program = resolve(join(here, "../../../.."), process.env.SWITCHYARD_BIN ?? "target/debug/switchyard");

/** Starts a server, and stops it with everything that it has when the tests of the file are over. */
export async function startServer(after, settings = {}) {
  const directory = await mkdtemp(join(tmpdir(), "switchyard-sdk-"));
  const port = await freePort();
  const database = await newDatabase(directory);
  const url = `http://127.0.0.1:${port}`;
  const environment = {
    PATH: process.env.PATH,
    SWITCHYARD__SERVER__BIND: `127.0.0.1:${port}`,
    SWITCHYARD__DATABASE__URL: database.url,
    SWITCHYARD__SECRETS__KEY_FILE: join(directory, "secrets.key"),
    SWITCHYARD__WEBHOOKS__ALLOW_PRIVATE: "true",
    SWITCHYARD__LOG__LEVEL: "error",
    ...settings,
  };
  const cli = async (...args) => {
    const { stdout } = await run(program, args, { cwd: directory, env: environment });
    return stdout;
  };
  let stop = async () => {};
  after(async () => {
    await stop();
    await database.drop();
    await rm(directory, { recursive: true, force: true });
  });
  await cli("migrate");
  const child = spawn(program, ["serve"], { cwd: directory, env: environment, stdio: ["ignore", "ignore", "inherit"] });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  stop = () => (child.kill("SIGTERM"), exited);
  await answers(`${url}/readyz`, child);
  return {
    url,
    /** Makes an app; by default of mode test, without a webhook. */
    app: async ({ mode = "test", webhookUrl, tenant } = {}) => {
      const more = [...(webhookUrl ? ["--webhook-url", webhookUrl] : []), ...(tenant ? ["--tenant", tenant] : [])];
      return JSON.parse(await cli("apps", "create", "--name", "shop", "--mode", mode, "--json", ...more));
    },
    /** Registers a tenant and makes an API key of mode test, and an endpoint if told. */
    apiKey: async (webhookUrl) => {
      const email = `${randomBytes(6).toString("hex")}@shop.example`;
      const password = "correct horse battery staple";
      const person = { email, password, firstName: "Ann", lastName: "Lee", companyName: "Shop" };
      await posted(`${url}/dashboard/auth/register`, person);
      const { data: session } = await posted(`${url}/dashboard/auth/login`, { email, password });
      const headers = { Authorization: `Bearer ${session.token}` };
      const { data: key } = await posted(`${url}/dashboard/api-keys`, { name: "sdk" }, headers);
      if (webhookUrl === undefined) return key.fullKey;
      const { data: endpoint } = await posted(`${url}/dashboard/webhooks`, { url: webhookUrl }, headers);
      await posted(`${url}/dashboard/webhooks/${endpoint.id}/test`, {}, headers);
      return { key: key.fullKey, endpoint };
    },
    openapi: async () => (await fetch(`${url}/openapi.json`)).json(),
  };
}

async function posted(url, body, headers = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${url}: ${JSON.stringify(answer)}`);
  return answer;
}

/** SQLite; or a schema of its own in the PostgreSQL of `TEST_DATABASE_URL`. */
async function newDatabase(directory) {
  const { TEST_DATABASE_URL: postgres } = process.env;
  if (!postgres) return { url: `sqlite:${join(directory, "switchyard.db")}`, drop: async () => {} };
  const schema = `sdk_${randomBytes(8).toString("hex")}`;
  const sql = (text) => run(process.env.PSQL ?? "psql", [postgres, "-q", "-v", "ON_ERROR_STOP=1", "-c", text]);
  await sql(`CREATE SCHEMA ${schema}`);
  return {
    url: `${postgres}${postgres.includes("?") ? "&" : "?"}options=-csearch_path%3D${schema}`,
    drop: () => sql(`SET client_min_messages = warning; DROP SCHEMA ${schema} CASCADE`),
  };
}

/** A receiver of webhooks, which keeps what it got. */
export async function startReceiver(after) {
  const received = [];
  const server = createHttpServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    received.push({ body: Buffer.concat(chunks), headers: request.headers });
    response.writeHead(204).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => (server.closeAllConnections?.(), server.close()));
  return { url: `http://127.0.0.1:${server.address().port}/hook`, received };
}

/** Asks until the answer is as it should be. */
export async function until(ask, isSo = Boolean) {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("it did not come");
}

export async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function answers(url, child) {
  for (let tries = 0; tries < 300; tries += 1) {
    if (child.exitCode !== null) throw new Error("the server ended");
    try {
      if ((await fetch(url)).ok) return;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no answer from ${url}`);
}
