// A server of the test's own: it answers as it is told, and keeps what it was asked.

import { createServer } from "node:http";

/**
 * `answer(request, response)` gets each request with its `body`; `requests` has them all. Ends with the test.
 */
export async function startStub(after, answer) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    request.body = Buffer.concat(chunks).toString();
    requests.push(request);
    await answer(request, response, requests.length);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => {
    server.closeAllConnections?.();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests };
}

/** Answers with JSON. */
export function json(response, status, body, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** Answers as the gateway does when something is wrong. */
export function problem(response, status, code, headers = {}, more = {}) {
  const body = { status, code, detail: `it is ${code}`, request_id: "req-1", message: `it is ${code}`, ...more };
  response.writeHead(status, { "Content-Type": "application/problem+json", ...headers }).end(JSON.stringify(body));
}

export const KEY = `pk_test_${"a".repeat(24)}`;
export const SECRET = "0123456789abcdef".repeat(4);
export const PAYMENT = {
  external_user_id: "user-42",
  email: "buyer@shop.example",
  amount_minor: 50000,
  currency: "IDR",
  method: "va_bca",
  return_url: "https://shop.example/thanks",
};
