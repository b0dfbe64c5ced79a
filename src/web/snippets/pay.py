import hashlib, hmac, json, os, time, urllib.request, uuid

url = "%URL%"
key = "%KEY%"
secret = os.environ["PAY_SECRET"]  # the app's secret
body = json.dumps({
    "external_user_id": "user-1",
    "email": "user-1@shop.example",
    "amount_minor": 50000,
    "currency": "IDR",
    "method": "%METHOD%",
    "description": "First payment, by Python",
    "return_url": "https://shop.example/thanks",
}).encode()

now = str(int(time.time()))
text = f"{now}.POST./v1/payments.{hashlib.sha256(body).hexdigest()}"
signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()

request = urllib.request.Request(f"{url}/v1/payments", data=body, headers={
    "Content-Type": "application/json",
    "Idempotency-Key": str(uuid.uuid4()),
    "X-PAY-Key": key,
    "X-PAY-Timestamp": now,
    "X-PAY-Signature": signature,
})
print(urllib.request.urlopen(request).read().decode())
