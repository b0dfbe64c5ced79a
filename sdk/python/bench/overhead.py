"""What a call costs: its CPU time with the SDK, less that of the same request with bare http.client.

Both talk over a kept connection to a stub in a process of its own, whose time does not count. Exits with 1 if the
difference is more than 0.3 ms.
"""

from __future__ import annotations

import gc
import http.client
import json
import multiprocessing
from multiprocessing.connection import Connection
import socket
import statistics
import sys
import time
from typing import Callable, Dict, List

from switchyard import Switchyard

LIMIT_MS = 0.3
ROUNDS, CALLS = 15, 400
PAYMENT: Dict[str, object] = {
    "payment_id": "pay_01m808a3zghb6fxjbt6azz91v1", "status": "initiated", "mode": "test", "amount_minor": 50000,
    "paid_minor": 0, "refunded_minor": 0, "currency": "IDR", "method": "qris", "provider": "mock",
    "provider_ref": "mock_01m808a3zghb6fxjbt6azz91v1", "fallback": None,
    "checkout_url": "https://pay.example/mock/checkout/pay_01m808a3zghb6fxjbt6azz91v1", "instructions": None,
    "invoice_number": "INV-000001", "external_user_id": "user-42", "description": None, "metadata": {"order": "1001"},
    "last_error": "", "return_url": "https://shop.example/thanks", "expires_at": "2026-11-23T00:00:00.000Z",
    "created_at": "2026-11-22T00:00:00.000Z", "updated_at": "2026-11-22T00:00:00.000Z",
}
FIELDS: Dict[str, object] = {
    "external_user_id": "user-42", "email": "buyer@shop.example", "currency": "IDR", "method": "qris",
    "return_url": "https://shop.example/thanks", "metadata": {"order": "1001"},
}


def serve(told: Connection) -> None:
    """Answers every request on one connection after the other with the payment."""
    body = json.dumps(PAYMENT).encode()
    answer = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nx-request-id: 1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told.send(listener.getsockname()[1])
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            held = b""
            while True:
                more = connection.recv(65536)
                if not more:
                    break
                held += more
                head, end, rest = held.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                if end and len(rest) >= length:
                    held = rest[length:]
                    connection.sendall(answer)


def cpu_ms(call: Callable[[int], None]) -> float:
    """CPU time of this process for one call, in milliseconds."""
    began = time.process_time()
    for number in range(CALLS):
        call(number)
    return (time.process_time() - began) * 1000 / CALLS


def main() -> int:
    here, there = multiprocessing.Pipe()
    stub = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    stub.start()
    port = here.recv()
    bare = http.client.HTTPConnection("127.0.0.1", port)

    def with_http_client(number: int) -> None:
        body = json.dumps({**FIELDS, "amount_minor": number + 1}).encode()
        bare.request("POST", "/v1/payments", body, {"Content-Type": "application/json", "Accept": "application/json"})
        json.loads(bare.getresponse().read())

    pay = Switchyard("pk_test_1", "0123456789abcdef" * 4, base_url=f"http://127.0.0.1:{port}")

    def with_sdk(number: int) -> None:
        pay.payments.create(
            external_user_id="user-42", email="buyer@shop.example", amount_minor=number + 1, currency="IDR", method="qris",
            return_url="https://shop.example/thanks", metadata={"order": "1001"},
        )

    # The stub serves one connection at a time, so each has its turn; the rounds alternate, so that both see the same machine.
    figures: Dict[str, List[float]] = {"http.client": [], "SDK": []}
    gc.disable()
    for _ in range(ROUNDS):
        figures["http.client"].append(cpu_ms(with_http_client))
        bare.close()
        figures["SDK"].append(cpu_ms(with_sdk))
        pay.close()
    stub.terminate()
    medians = {name: statistics.median(found) for name, found in figures.items()}
    added = medians["SDK"] - medians["http.client"]
    for name, found in medians.items():
        print(f"{name:12} {found:.3f} ms of CPU a call")
    print(f"{'added':12} {added:.3f} ms (limit {LIMIT_MS} ms)")
    return 0 if added <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
