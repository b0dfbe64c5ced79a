"""A shop on FastAPI: takes money, and believes what the gateway says of it.

PAY_URL, PAY_KEY, PAY_SECRET and WEBHOOK_SECRET say which gateway; PORT is where the shop listens.
"""

import os
from typing import Dict, Set

from fastapi import FastAPI, HTTPException, Request
from switchyard import AsyncSwitchyard, WebhookVerificationError, webhooks
import uvicorn

app = FastAPI()
pay = AsyncSwitchyard()
paid: Set[str] = set()


@app.post("/orders/{order}/pay")
async def begin(order: str) -> Dict[str, str]:
    payment = await pay.payments.create(
        external_user_id="user-42", email="buyer@shop.example", amount_minor=50_000, currency="IDR", method="qris",
        return_url="https://shop.example/thanks", metadata={"order": order}, idempotency_key=f"order-{order}",
    )
    return {"checkout_url": payment["checkout_url"]}


@app.post("/hook", status_code=204)
async def hook(request: Request) -> None:
    try:
        event = webhooks.verify(await request.body(), request.headers, os.environ["WEBHOOK_SECRET"])
    except WebhookVerificationError as error:
        raise HTTPException(401, error.reason) from None
    if event["event"] == "payment.succeeded":
        paid.add(event["metadata"]["order"])  # the same event may come twice: do its work once


@app.get("/orders/{order}")
async def order(order: str) -> Dict[str, bool]:
    return {"paid": order in paid}


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "3000")), log_level="warning")
