// The examples and every sample of the README, run against a real server; the receivers hear real webhooks.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { Switchyard } from "switchyard-pay";
import { kept, startProgram } from "./support/program.mjs";
import { freePort, startServer } from "./support/server.mjs";
import { PAYMENT } from "./support/stub.mjs";

const file = (name) => new URL(`../${name}`, import.meta.url);

describe("what is shown", () => {
  let server;
  const endings = [];
  before(async () => {
    server = await startServer((end) => endings.push(end));
  });
  after(async () => {
    for (const end of endings.reverse()) await end();
  });

  /** An app whose events go to a free port, and the environment of its programs. */
  async function appWithReceiver() {
    const port = await freePort();
    const app = await server.app({ webhookUrl: `http://127.0.0.1:${port}/hook` });
    const environment = {
      PAY_URL: server.url,
      PAY_KEY: app.public_key,
      PAY_SECRET: app.secret,
      WEBHOOK_SECRET: app.webhook_secret,
      PORT: String(port),
    };
    const client = new Switchyard({ baseUrl: server.url, publicKey: app.public_key, secret: app.secret });
    const pay = (order) => client.payments.create({ ...PAYMENT, metadata: { order }, mock: { outcome: "succeed" } });
    return { port, environment, pay };
  }

  const forged = (port) =>
    fetch(`http://127.0.0.1:${port}/hook`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-PAY-Timestamp": String(Math.floor(Date.now() / 1000)),
        "X-PAY-Signature": "0".repeat(64),
      },
      body: '{"event":"payment.succeeded","event_id":"evt_1","metadata":{"order":"forged"}}',
    });

  it("is a shop on Express", async (t) => {
    const { port, environment, pay } = await appWithReceiver();
    const program = startProgram((end) => t.after(end), "examples/express.mjs", environment);
    await program.said("listening");
    const buy = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/buy`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ order: "7", user: "user-42" }),
      });
      return response.json();
    };
    const [first, second] = [await buy(), await buy()];
    assert.match(first.checkout_url, /^http/);
    assert.equal(first.payment_id, second.payment_id);
    const { payment_id } = await pay("8");
    await program.said(`order 8 is paid: ${payment_id}`);
    const response = await forged(port);
    assert.deepEqual([response.status, await response.text()], [401, "bad_signature"]);
  });

  it("is a route of Next", async (t) => {
    const { default: typescript } = await import("typescript");
    const source = await readFile(file("examples/next-route.ts"), "utf8");
    const { outputText } = typescript.transpileModule(source, {
      compilerOptions: { module: "ESNext", target: "ES2022" },
    });
    const route = await kept((end) => t.after(end), "next-route.mjs", outputText);
    const { POST } = await import(pathToFileURL(route).href);
    const { port, environment, pay } = await appWithReceiver();
    process.env.WEBHOOK_SECRET = "the next one";
    process.env.WEBHOOK_SECRET_OLD = environment.WEBHOOK_SECRET;
    t.mock.method(console, "log", (line) => said(line));
    let said;
    const heard = new Promise((resolve) => (said = resolve));
    // What Next does with a route's handler.
    const http = createServer(async (incoming, outgoing) => {
      const chunks = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const init = { method: incoming.method, headers: incoming.headers, body: Buffer.concat(chunks) };
      const response = await POST(new Request(`http://127.0.0.1:${port}${incoming.url}`, init));
      outgoing.writeHead(response.status).end(Buffer.from(await response.arrayBuffer()));
    });
    await new Promise((resolve) => http.listen(port, "127.0.0.1", resolve));
    t.after(() => (http.closeAllConnections?.(), http.close()));
    const { payment_id } = await pay("9");
    assert.equal(await heard, `order 9 is paid: ${payment_id}`);
    assert.equal((await forged(port)).status, 401);
  });

  describe("in the README", () => {
    const samples = new Map();
    before(async () => {
      const text = await readFile(file("README.md"), "utf8");
      for (const [, name, code] of text.matchAll(/<!-- test: (\w+) -->\n```js\n(.*?)```/gs)) samples.set(name, code);
      assert.equal(text.match(/```js/g).length, samples.size, "every sample is run");
    });
    const ran = async (t, name, environment) => {
      const sample = await kept((end) => t.after(end), `${name}.mjs`, samples.get(name));
      return startProgram((end) => t.after(end), sample, environment);
    };

    it("takes money in ten lines, and hears of it", async (t) => {
      assert.equal(samples.get("pay").match(/\S.*$/gm).length, 10);
      const { environment, pay } = await appWithReceiver();
      const { code, output } = await (await ran(t, "pay", environment)).done();
      assert.equal(code, 0, output);
      assert.ok(output.startsWith(`${server.url}/`));
      const receiver = await ran(t, "receive", environment);
      const { payment_id } = await pay("1");
      await receiver.said(`payment.succeeded ${payment_id}`);
      assert.equal((await forged(environment.PORT)).status, 401);
      const lists = await (await ran(t, "lists", environment)).done();
      assert.match(lists.output, new RegExp(`${payment_id}\n2 null\n$`));
    });

    it("catches errors", async (t) => {
      const { environment } = await appWithReceiver();
      const { code, output } = await (await ran(t, "errors", environment)).done();
      assert.equal(code, 0, output);
      assert.match(output, /^PaymentNotFound \S+\n$/);
    });

    it("keeps a ledger and proves it", async (t) => {
      const environment = { PAY_URL: server.url, PAY_API_KEY: await server.apiKey() };
      const { code, output } = await (await ran(t, "ledger", environment)).done();
      assert.equal(code, 0, output);
      assert.equal(output, "-42.5 -42.5 1\n");
    });
  });
});
