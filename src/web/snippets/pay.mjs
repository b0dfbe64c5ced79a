import { createHash, createHmac } from "node:crypto";

const url = "%URL%";
const key = "%KEY%";
const secret = process.env.PAY_SECRET;
if (!secret) throw new Error("put the app's secret into the variable PAY_SECRET");
const body = JSON.stringify({
  external_user_id: "user-1",
  email: "user-1@shop.example",
  amount_minor: 50000,
  currency: "IDR",
  method: "%METHOD%",
  description: "First payment, by Node",
  return_url: "https://shop.example/thanks",
});

const now = Math.floor(Date.now() / 1000);
const hash = createHash("sha256").update(body).digest("hex");
const signature = createHmac("sha256", secret).update(`${now}.POST./v1/payments.${hash}`).digest("hex");

const answer = await fetch(`${url}/v1/payments`, {
  method: "POST",
  headers: {
    "Content-Type": "application/json",
    "Idempotency-Key": crypto.randomUUID(),
    "X-PAY-Key": key,
    "X-PAY-Timestamp": String(now),
    "X-PAY-Signature": signature,
  },
  body,
});
console.log(await answer.text());
if (!answer.ok) process.exitCode = 1;
