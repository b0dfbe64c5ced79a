// What the client adds to a call, in CPU time of this process: a signed POST through the client, less the same body sent
// by a bare `fetch`. Both speak to a stub in a process of its own.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Switchyard } from "switchyard-pay";

const ANSWER = JSON.stringify({ payment_id: "pay_01k7v3m2q8d4r5s6t7v8w9x0yz", status: "initiated", metadata: {} });
const CALLS = Number(process.env.CALLS ?? 2000);
const ROUNDS = 5;

if (process.argv[2] === "stub") {
  const { createServer } = await import("node:http");
  const head = { "Content-Type": "application/json", "Content-Length": ANSWER.length };
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(201, head).end(ANSWER));
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
} else {
  const stub = spawn(process.execPath, [fileURLToPath(import.meta.url), "stub"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise((resolve) => stub.stdout.once("data", (data) => resolve(Number(data))));
  const url = `http://127.0.0.1:${port}`;
  const client = new Switchyard({
    publicKey: `pk_test_${"a".repeat(24)}`,
    secret: "0123456789abcdef".repeat(4),
    baseUrl: url,
  });
  const request = (number) => ({
    external_user_id: `user-${number}`,
    email: "buyer@shop.example",
    amount_minor: 50000,
    currency: "IDR",
    method: "va_bca",
    return_url: "https://shop.example/thanks",
    metadata: { order: String(number) },
  });
  const bare = async (number) => {
    const headers = { "Content-Type": "application/json", Accept: "application/json" };
    const body = JSON.stringify(request(number));
    return (await fetch(`${url}/v1/payments`, { method: "POST", headers, body })).json();
  };
  const signed = (number) => client.payments.create(request(number));

  const figures = { bare: [], signed: [] };
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, call] of Object.entries({ bare, signed })) {
      const before = process.cpuUsage();
      for (let number = 0; number < CALLS; number += 1) await call(number);
      const { user, system } = process.cpuUsage(before);
      // The first round warms up.
      if (round > 0) figures[name].push((user + system) / CALLS / 1000);
    }
  }
  stub.kill();
  const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
  const [without, within] = [median(figures.bare), median(figures.signed)];
  const added = within - without;
  console.log(
    `CPU per call: ${without.toFixed(3)} ms by fetch alone, ${within.toFixed(3)} ms by the client: ${added.toFixed(3)} ms added`,
  );
  process.exitCode = added <= 0.3 ? 0 : 1;
}
