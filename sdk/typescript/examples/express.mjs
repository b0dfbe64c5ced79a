// A shop on Express: POST /buy asks for a payment, POST /hook hears what became of it.
// Wants PAY_URL, PAY_KEY, PAY_SECRET and WEBHOOK_SECRET in the environment; of the app, /hook as its webhook URL.

import express from "express";
import { Switchyard, SwitchyardError, WebhookVerificationError, webhooks } from "switchyard-pay";

const pay = new Switchyard();
const app = express();
const done = new Set(); // in a shop, a column with a unique index

app.post("/buy", express.json(), async (request, response) => {
  const { order, user } = request.body;
  const payment = await pay.payments.create(
    {
      external_user_id: user,
      amount_minor: 50000,
      currency: "IDR",
      method: "qris",
      email: "buyer@shop.example",
      return_url: "https://shop.example/thanks",
      metadata: { order },
    },
    { idempotencyKey: `order-${order}` }, // a double click is one payment
  );
  response.json({ payment_id: payment.payment_id, checkout_url: payment.checkout_url });
});

// The signature is over the bytes of the body: take them raw here, and parse JSON elsewhere alone.
app.post("/hook", express.raw({ type: "application/json" }), (request, response) => {
  const event = webhooks.verify(request.body, request.headers, process.env.WEBHOOK_SECRET);
  if (event.event === "payment.succeeded" && !done.has(event.event_id)) {
    done.add(event.event_id);
    console.log(`order ${event.metadata.order} is paid: ${event.payment_id}`);
  }
  response.sendStatus(204);
});

app.use((error, _request, response, _next) => {
  if (error instanceof WebhookVerificationError) return response.status(401).send(error.reason);
  if (error instanceof SwitchyardError) return response.status(502).send(error.code);
  return response.sendStatus(500);
});

app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => console.log("listening"));
