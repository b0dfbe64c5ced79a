// What is sent again, what is not, and what of a request stays the same: against a server that behaves badly.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import * as sdk from "switchyard-pay";
import { KEY, PAYMENT, SECRET, json, problem, startStub } from "./support/stub.mjs";

const { Switchyard } = sdk;
const fast = { publicKey: KEY, secret: SECRET, timeoutMs: 2000 };
const made = { payment_id: "pay_1", status: "initiated" };

/** A gateway that does a POST once for each key, and answers again what it answered. */
function once(answer) {
  const done = new Map();
  return (request, response, count) => {
    const key = request.headers["idempotency-key"];
    if (!done.has(key)) done.set(key, 0);
    done.set(key, done.get(key) + 1);
    return answer(request, response, count, done);
  };
}

describe("a POST", () => {
  const failures = {
    "a connection that is reset": (_, response) => response.socket.resetAndDestroy?.() ?? response.socket.destroy(),
    "a connection that ends within the answer": (_, response) => {
      response.writeHead(201, { "Content-Type": "application/json", "Content-Length": "1000" });
      response.write('{"payment_id"', () => response.socket.destroy());
    },
    408: (_, response) => problem(response, 408, "RequestTimeout"),
    "409 in progress": (_, response) => problem(response, 409, "IdempotencyInProgress", { "Retry-After": "0" }),
    "409 of an equal request's signature": (_, response) => problem(response, 409, "SignatureReused"),
    429: (_, response) => problem(response, 429, "RateLimited", { "Retry-After": "0" }),
    "502 of a proxy": (_, response) => response.writeHead(502, { "Content-Type": "text/html" }).end("<h1>Bad gateway"),
    503: (_, response) => problem(response, 503, "ProviderUnavailable", {}, { payment_id: "pay_1" }),
    "503 of a proxy": (_, response) => response.writeHead(503).end(),
    504: (_, response) => response.writeHead(504).end("late"),
  };
  for (const [name, fail] of Object.entries(failures)) {
    it(`is sent again after ${name}, with its key and signed anew`, async (t) => {
      const stub = await startStub(
        (end) => t.after(end),
        (request, response, count) => (count <= 2 ? fail(request, response) : json(response, 201, made)),
      );
      const client = new Switchyard({ ...fast, baseUrl: stub.url });
      assert.deepEqual(await client.payments.create(PAYMENT), made);
      assert.equal(stub.requests.length, 3);
      const of = (header) => new Set(stub.requests.map(({ headers }) => headers[header]));
      assert.equal(of("idempotency-key").size, 1);
      assert.equal(of("x-pay-signature").size, 3);
      assert.equal(new Set(stub.requests.map(({ body }) => body)).size, 1);
      for (const { headers, method, url, body } of stub.requests) {
        const hash = createHash("sha256").update(body).digest("hex");
        const text = `${headers["x-pay-timestamp"]}.${method}.${url}.${hash}`;
        assert.equal(headers["x-pay-signature"], createHmac("sha256", SECRET).update(text).digest("hex"));
      }
    });
  }

  const finals = [
    [400, "ValidationError", sdk.ValidationError],
    [401, "BadSignature", sdk.AuthenticationError],
    [402, "PlanLimitExceeded", sdk.PlanLimitExceededError],
    [403, "ProductionAccessNotApproved", sdk.PermissionError],
    [404, "PaymentNotFound", sdk.NotFoundError],
    [409, "IdempotencyConflict", sdk.IdempotencyConflictError],
    [409, "AlreadyExists", sdk.SwitchyardError],
    [413, "BodyTooLarge", sdk.SwitchyardError],
    [421, "ModeNotServed", sdk.ModeNotServedError],
    [422, "NoRoute", sdk.SwitchyardError],
    [500, "InternalError", sdk.SwitchyardError],
    [502, "ProviderError", sdk.ProviderError],
    [301, "Http301", sdk.SwitchyardError],
  ];
  for (const [status, code, Class] of finals) {
    it(`is not sent again after ${status} ${code}`, async (t) => {
      const location = { Location: "https://elsewhere.example/" };
      const stub = await startStub(
        (end) => t.after(end),
        (_, response) => problem(response, status, code, location, { payment_id: "pay_1" }),
      );
      const client = new Switchyard({ ...fast, baseUrl: stub.url });
      await assert.rejects(client.payments.create(PAYMENT, { idempotencyKey: "order-1" }), (error) => {
        assert.equal(error.constructor, Class);
        assert.deepEqual([error.status, error.code, error.requestId], [status, code, "req-1"]);
        assert.equal(error.idempotencyKey, "order-1");
        if (code === "ProviderError") assert.equal(error.paymentId, "pay_1");
        return true;
      });
      // After a 421 `fetch` itself asks once more on a new connection: its standard wants it.
      if (status !== 421) assert.equal(stub.requests.length, 1);
    });
  }

  it("is done once, however often it is sent", async (t) => {
    const charges = new Map();
    const stub = await startStub(
      (end) => t.after(end),
      once((request, response, count, done) => {
        const key = request.headers["idempotency-key"];
        if (done.get(key) === 1) charges.set(key, JSON.parse(request.body).amount_minor);
        // The first two answers are lost after the work is done.
        if (done.get(key) <= 2) return response.socket.destroy();
        return json(response, 201, made, { "Idempotent-Replayed": "true" });
      }),
    );
    const client = new Switchyard({ ...fast, baseUrl: stub.url });
    await Promise.all([1, 2, 3].map((amount_minor) => client.payments.create({ ...PAYMENT, amount_minor })));
    assert.equal(stub.requests.length, 9);
    assert.deepEqual([...charges.values()].sort(), [1, 2, 3]);
  });

  it("is sent at most as often as was allowed, and then tells the key to go on with", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (_, response) => problem(response, 503, "ProviderUnavailable", {}, { payment_id: "pay_1" }),
    );
    const client = new Switchyard({ ...fast, baseUrl: stub.url, maxRetries: 1 });
    await assert.rejects(client.payments.create(PAYMENT), (error) => {
      assert.ok(error instanceof sdk.ProviderUnavailableError);
      assert.equal(error.paymentId, "pay_1");
      assert.equal(error.idempotencyKey, stub.requests[0].headers["idempotency-key"]);
      return true;
    });
    assert.equal(stub.requests.length, 2);
    await assert.rejects(client.payments.create(PAYMENT, { maxRetries: 0 }));
    assert.equal(stub.requests.length, 3);
  });

  it("waits as long as it is told to, and does not wait for what is too far away", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (_, response, count) =>
        count === 1
          ? problem(response, 429, "RateLimited", { "Retry-After": "1" })
          : count === 2
            ? json(response, 201, made)
            : problem(response, 429, "RateLimited", { "Retry-After": "3600" }),
    );
    const client = new Switchyard({ ...fast, baseUrl: stub.url });
    const began = performance.now();
    await client.payments.create(PAYMENT);
    const took = performance.now() - began;
    assert.ok(took >= 1000 && took < 2500, String(took));
    const again = performance.now();
    await assert.rejects(client.payments.create(PAYMENT), (error) => {
      assert.ok(error instanceof sdk.RateLimitError);
      assert.equal(error.retryAfter, 3600);
      return true;
    });
    assert.ok(performance.now() - again < 1000);
    assert.equal(stub.requests.length, 3);
  });

  it("is tried anew when no answer comes in time, and not beyond the whole time", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (_, response, count) => count > 2 && json(response, 201, made),
    );
    const client = new Switchyard({ ...fast, baseUrl: stub.url, timeoutMs: 100 });
    assert.deepEqual(await client.payments.create(PAYMENT), made);
    assert.equal(stub.requests.length, 3);

    const silent = await startStub(
      (end) => t.after(end),
      () => {},
    );
    const patient = new Switchyard({ ...fast, baseUrl: silent.url, maxRetries: 100 });
    const began = performance.now();
    await assert.rejects(patient.payments.create(PAYMENT, { timeoutMs: 200, totalTimeoutMs: 700 }), sdk.TimeoutError);
    const took = performance.now() - began;
    assert.ok(took >= 200 && took < 1200, String(took));
  });

  it("covers a body that comes too slowly with its time-out", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (_, response) => {
        response.writeHead(201, { "Content-Type": "application/json" });
        response.write("{");
      },
    );
    const client = new Switchyard({ ...fast, baseUrl: stub.url, timeoutMs: 100, maxRetries: 0 });
    await assert.rejects(client.payments.create(PAYMENT), sdk.TimeoutError);
  });

  it("finds a server that comes back", async (t) => {
    const probe = createServer();
    await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address();
    await new Promise((resolve) => probe.close(resolve));
    const client = new Switchyard({ ...fast, baseUrl: `http://127.0.0.1:${port}`, maxRetries: 0 });
    await assert.rejects(client.payments.create(PAYMENT), (error) => {
      assert.ok(error instanceof sdk.ConnectionError);
      assert.match(error.message, /ECONNREFUSED/);
      return true;
    });
    const created = client.payments.create(PAYMENT, { maxRetries: 8 });
    const { createServer: createHttp } = await import("node:http");
    const late = createHttp((_, response) => json(response, 201, made));
    setTimeout(() => late.listen(port, "127.0.0.1"), 200);
    t.after(() => (late.closeAllConnections?.(), late.close()));
    assert.deepEqual(await created, made);
  });

  it("ends when its caller ends it: before, while it is sent, while it waits", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (request, response) =>
        request.url.endsWith("/cancel")
          ? problem(response, 503, "ServiceUnavailable", { "Retry-After": "30" })
          : undefined,
    );
    const client = new Switchyard({ ...fast, baseUrl: stub.url });
    const reason = new Error("the buyer left");
    await assert.rejects(client.payments.create(PAYMENT, { signal: AbortSignal.abort(reason) }), reason);
    assert.equal(stub.requests.length, 0);
    for (const call of [
      (signal) => client.payments.create(PAYMENT, { signal }),
      (signal) => client.payments.cancel("pay_1", { signal }),
      (signal) => client.payments.list({}, { signal }).page(),
    ]) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 100);
      const began = performance.now();
      await assert.rejects(call(controller.signal), reason);
      assert.ok(performance.now() - began < 1000);
    }
    assert.equal(stub.requests.length, 3);
  });

  it("refuses a key that cannot be sent, before anything is", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (_, response) => json(response, 201, made),
    );
    const client = new Switchyard({ ...fast, baseUrl: stub.url });
    for (const idempotencyKey of ["", "a\nb", "é", "x".repeat(256)]) {
      await assert.rejects(client.payments.create(PAYMENT, { idempotencyKey }), sdk.ValidationError);
    }
    assert.equal(stub.requests.length, 0);
  });
});

describe("a GET", () => {
  it("is sent again without an idempotency key", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (_, response, count) => (count === 1 ? response.socket.destroy() : json(response, 200, made)),
    );
    const client = new Switchyard({ ...fast, baseUrl: stub.url });
    assert.deepEqual(await client.payments.get("pay_1"), made);
    assert.equal(stub.requests.length, 2);
    assert.equal(stub.requests[1].headers["idempotency-key"], undefined);
    assert.equal(stub.requests[1].headers["content-type"], undefined);
  });

  it("says when what answers is no Switchyard", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (_, response) => response.end("<html>"),
    );
    const client = new Switchyard({ ...fast, baseUrl: stub.url });
    await assert.rejects(client.payments.get("pay_1"), { code: "UnexpectedAnswer" });
  });
});
