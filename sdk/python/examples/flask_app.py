"""A shop on Flask: takes money, and believes what the gateway says of it.

PAY_URL, PAY_KEY, PAY_SECRET and WEBHOOK_SECRET say which gateway; PORT is where the shop listens.
"""

import os

from flask import Flask, Response, jsonify, request
from switchyard import Switchyard, WebhookVerificationError, webhooks

app = Flask(__name__)
pay = Switchyard()
paid = set()


@app.post("/orders/<order>/pay")
def begin(order: str) -> Response:
    payment = pay.payments.create(
        external_user_id="user-42", email="buyer@shop.example", amount_minor=50_000, currency="IDR", method="qris",
        return_url="https://shop.example/thanks", metadata={"order": order}, idempotency_key=f"order-{order}",
    )
    return jsonify(checkout_url=payment["checkout_url"])


@app.post("/hook")
def hook() -> Response:
    try:
        event = webhooks.verify(request.get_data(), request.headers, os.environ["WEBHOOK_SECRET"])
    except WebhookVerificationError as error:
        app.logger.warning("an event is not believed: %s", error.reason)
        return Response(status=401)
    if event["event"] == "payment.succeeded":
        paid.add(event["metadata"]["order"])  # the same event may come twice: do its work once
    return Response(status=204)


@app.get("/orders/<order>")
def order(order: str) -> Response:
    return jsonify(paid=order in paid)


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "3000")))
