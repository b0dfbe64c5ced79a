// How a client is set up, what it never shows, and to whom it speaks when it is sent elsewhere.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { afterEach, describe, it } from "node:test";
import { inspect } from "node:util";
import * as sdk from "switchyard-pay";
import { KEY, PAYMENT, SECRET, json, problem, startStub } from "./support/stub.mjs";

const { Switchyard } = sdk;
const keyOf = (mode) => `pk_${mode}_${"a".repeat(24)}`;
const apiKeyOf = (mode, secret = "top-secret") => `pk_${mode}_abc.${secret}`;
const urls = { sandboxUrl: "https://sandbox.example", productionUrl: "https://pay.example/gate/" };

/** A `fetch` that notes where it is sent and answers as it is told. */
function recording(answer) {
  const sent = [];
  const fetch = async (url, init) => {
    sent.push({ url, headers: init.headers });
    return answer(new URL(url), sent.length) ?? Response.json({ payment_id: "pay_1", data: {} });
  };
  return { sent, fetch };
}

describe("a client", () => {
  afterEach(() => {
    for (const name of ["PAY_URL", "PAY_KEY", "PAY_SECRET", "PAY_API_KEY"]) delete process.env[name];
  });

  it("goes by its key's prefix to the server of its mode", async () => {
    for (const [mode, url] of [
      ["test", "https://sandbox.example/v1/payments/p"],
      ["sandbox", "https://sandbox.example/v1/payments/p"],
      ["live", "https://pay.example/gate/v1/payments/p"],
    ]) {
      const { sent, fetch } = recording(() => undefined);
      const client = new Switchyard({ publicKey: keyOf(mode), secret: SECRET, fetch, ...urls });
      assert.equal(client.mode, mode);
      await client.payments.get("p");
      assert.equal(sent[0].url, url);
      // The path of the base URL is for a proxy, and is not signed.
      const { "X-PAY-Timestamp": timestamp, "X-PAY-Signature": signature } = sent[0].headers;
      assert.equal(signature, sdk.requestSignature(SECRET, Number(timestamp), "GET", "/v1/payments/p", ""));
      process.env.PAY_URL = "https://environment.example";
      const one = new Switchyard({
        publicKey: keyOf(mode),
        secret: SECRET,
        fetch,
        ...urls,
        baseUrl: "http://127.0.0.1:1",
      });
      await one.payments.get("p");
      assert.equal(sent[1].url, "http://127.0.0.1:1/v1/payments/p");
      const other = new Switchyard({ publicKey: keyOf(mode), secret: SECRET, fetch });
      await other.payments.get("p");
      assert.equal(sent[2].url, "https://environment.example/v1/payments/p");
      delete process.env.PAY_URL;
    }
  });

  it("refuses keys that do not fit", () => {
    const baseUrl = "https://pay.example";
    const refused = (options, message) => {
      assert.throws(
        () => new Switchyard({ baseUrl, ...options }),
        (error) => {
          assert.ok(error instanceof sdk.ConfigurationError, String(error));
          assert.match(error.message, message);
          assert.ok(!inspect(error).includes(SECRET) && !inspect(error).includes("top-secret"));
          return true;
        },
      );
    };
    refused({}, /give publicKey and secret/);
    refused({ publicKey: KEY }, /go together/);
    refused({ secret: SECRET }, /go together/);
    refused({ publicKey: keyOf("demo"), secret: SECRET }, /does not begin with/);
    refused({ publicKey: SECRET, secret: SECRET }, /does not begin with/);
    refused({ publicKey: keyOf("live"), secret: SECRET, expectMode: "sandbox" }, /sandbox is expected.*live/);
    refused({ apiKey: apiKeyOf("live"), expectMode: "test" }, /test is expected.*live/);
    refused(
      { publicKey: keyOf("test"), secret: SECRET, apiKey: apiKeyOf("live") },
      /mode test and apiKey of mode live/,
    );
    // What cannot stand in a header would be shown by the error of `fetch`.
    refused({ apiKey: apiKeyOf("test", "top-secret\n") }, /apiKey/);
    refused({ apiKey: "pk_test_abc" }, /apiKey/);
    refused(
      { publicKey: keyOf("live"), secret: SECRET, baseUrl: undefined, sandboxUrl: "https://a.example" },
      /productionUrl/,
    );
    for (const bad of [
      "pay.example",
      "ftp://pay.example",
      "https://user:top-secret@pay.example",
      "https://pay.example/?a=1",
    ]) {
      refused({ publicKey: KEY, secret: SECRET, baseUrl: bad }, /base URL/);
    }
    Object.assign(process.env, { PAY_API_KEY: apiKeyOf("live") });
    refused({ publicKey: KEY, secret: SECRET }, /apiKey of mode live/);
    assert.equal(new Switchyard({ baseUrl, expectMode: "live" }).mode, "live");
  });

  it("writes bodies as JSON.stringify does, and says who it is", async () => {
    const { version } = createRequire(import.meta.url)("switchyard-pay/package.json");
    const sent = [];
    const fetch = async (_, init) => (sent.push(init), Response.json({}));
    const client = new Switchyard({ publicKey: KEY, secret: SECRET, baseUrl: "https://a.example", fetch });
    const odd = {
      date: new Date(0),
      none: undefined,
      call: () => 1,
      list: [undefined, null, () => 1, -0, NaN],
      "": 'é\u2028\ud800"',
    };
    for (const metadata of [odd, { deep: [odd, { odd }] }, Object.assign(Object.create(null), { a: 1 }), {}]) {
      await client.payments.create({ ...PAYMENT, metadata, description: undefined });
      assert.equal(sent.at(-1).body, JSON.stringify({ ...PAYMENT, metadata, description: undefined }));
    }
    assert.equal(sent[0].headers["User-Agent"], `switchyard-pay-node/${version}`);
  });

  it("never shows its secrets", async (t) => {
    const apiKey = apiKeyOf("test");
    const stub = await startStub(
      (end) => t.after(end),
      (_, response) => problem(response, 401, "BadSignature"),
    );
    const leaky = async () => {
      throw Object.assign(new TypeError("fetch failed"), { config: { headers: { "X-Api-Key": apiKey } } });
    };
    const options = { publicKey: KEY, secret: SECRET, apiKey, maxRetries: 0 };
    const errors = [];
    for (const more of [
      { baseUrl: stub.url },
      { baseUrl: stub.url, fetch: leaky },
      { baseUrl: "http://127.0.0.1:1" },
    ]) {
      const client = new Switchyard({ ...options, ...more });
      errors.push(await client.payments.create(PAYMENT).catch((error) => error));
      errors.push(await client.balance.get("rec_1").catch((error) => error));
      const list = client.payments.list();
      for (const shown of [client, client.payments, client.balance, list, { client }]) {
        const depth = { depth: Infinity, showHidden: true, getters: true };
        const texts = [
          inspect(shown),
          inspect(shown, depth),
          JSON.stringify(shown),
          String(shown),
          ...Object.keys(shown),
        ];
        for (const text of texts) assert.ok(!text.includes(SECRET) && !text.includes("top-secret"));
      }
    }
    for (const error of errors) {
      assert.ok(error instanceof sdk.SwitchyardError);
      for (const text of [inspect(error, { depth: Infinity, showHidden: true }), JSON.stringify(error), error.stack]) {
        assert.ok(!text.includes(SECRET) && !text.includes("top-secret"), text);
      }
    }
  });
});

describe("a 421", () => {
  const elsewhere = (mode, url) =>
    Response.json(
      { code: "ModeNotServed", status: 421, detail: `this server does not serve mode ${mode}; use ${url}` },
      { status: 421 },
    );

  const cases = [
    // mode, base URL, the address in the answer, further options, whether it is followed
    ["live", "https://a.example", "https://b.example", {}, false],
    ["live", "https://a.example", "https://b.example", { productionUrl: "https://b.example" }, true],
    ["live", "https://a.example", "http://b.example", {}, false],
    ["live", "https://a.example", "http://127.0.0.1:2", {}, false],
    ["live", "http://a.example", "https://b.example", {}, false],
    ["live", "http://127.0.0.1:1", "https://b.example", {}, false],
    ["live", "http://127.0.0.1:1", "http://127.0.0.1:2", {}, false],
    ["live", "http://127.0.0.1:1", "https://b.example", { productionUrl: "https://b.example/" }, true],
    ["live", "http://a.example", "http://b.example", { sandboxUrl: "http://b.example" }, true],
    ["test", "http://127.0.0.1:1", "http://localhost:2", {}, true],
    ["test", "http://127.0.0.1:1", "https://b.example", {}, true],
    ["test", "http://127.0.0.1:1", "http://b.example", {}, false],
    ["test", "http://127.0.0.1:1", "http://127.0.0.1.b.example", {}, false],
    ["test", "http://a.example", "https://b.example", {}, false],
    ["sandbox", "https://a.example", "https://b.example:8443/gate", {}, true],
    ["sandbox", "https://a.example", "https://user:password@b.example", {}, false],
    ["sandbox", "https://a.example", "https://a.example", {}, false],
    ["sandbox", "https://a.example", "file:///etc/passwd", {}, false],
  ];
  for (const [mode, baseUrl, named, more, isFollowed] of cases) {
    const given = Object.keys(more)[0];
    it(`of ${baseUrl} for ${mode} is ${isFollowed ? "" : "not "}followed to ${named}${given ? `, which is ${given}` : ""}`, async () => {
      const origin = new URL(baseUrl).origin;
      const { sent, fetch } = recording((url) => (url.origin === origin ? elsewhere(mode, named) : undefined));
      const options = { publicKey: keyOf(mode), secret: SECRET, apiKey: apiKeyOf(mode), baseUrl, fetch, ...more };
      for (const call of [(it) => it.payments.create(PAYMENT), (it) => it.balance.get("rec_1")]) {
        sent.length = 0;
        const made = call(new Switchyard(options));
        if (isFollowed) {
          await made;
          assert.equal(sent.length, 2);
          assert.ok(sent[1].url.startsWith(named.replace(/\/$/, "") + "/"));
        } else {
          await assert.rejects(made, { name: "ModeNotServedError", mode });
          assert.equal(sent.length, 1);
        }
      }
    });
  }

  it("is followed once, not round and round", async () => {
    const { sent, fetch } = recording((url) =>
      elsewhere("test", url.origin === "https://a.example" ? "https://b.example" : "https://a.example"),
    );
    const client = new Switchyard({ publicKey: KEY, secret: SECRET, baseUrl: "https://a.example", fetch });
    await assert.rejects(client.payments.create(PAYMENT), { name: "ModeNotServedError", modeUrl: "https://a.example" });
    assert.equal(sent.length, 2);
  });

  it("may tell the address in a field of its own", async () => {
    const { sent, fetch } = recording((_, count) =>
      count === 1
        ? Response.json(
            { code: "ModeNotServed", mode: "test", mode_url: "https://b.example", detail: "not here" },
            { status: 421 },
          )
        : undefined,
    );
    const client = new Switchyard({ publicKey: KEY, secret: SECRET, baseUrl: "https://a.example", fetch });
    await client.payments.create(PAYMENT);
    assert.deepEqual(
      sent.map(({ url }) => new URL(url).host),
      ["a.example", "b.example"],
    );
  });

  it("that a redirect hides is not followed with the key", async (t) => {
    const target = await startStub(
      (end) => t.after(end),
      (_, response) => json(response, 200, {}),
    );
    const stub = await startStub(
      (end) => t.after(end),
      (_, response) => response.writeHead(307, { Location: target.url }).end(),
    );
    const client = new Switchyard({ apiKey: apiKeyOf("test"), baseUrl: stub.url });
    await assert.rejects(client.balance.get("rec_1"), { status: 307 });
    assert.equal(target.requests.length, 0);
  });
});
