: "${PAY_SECRET:?put the app's secret into the variable PAY_SECRET}"
URL='%URL%'
KEY='%KEY%'
BODY='{"external_user_id":"user-1","email":"user-1@shop.example","amount_minor":50000,"currency":"IDR","method":"%METHOD%","description":"First payment, by curl","return_url":"https://shop.example/thanks"}'

NOW=$(date +%s)
HASH=$(printf '%s' "$BODY" | openssl dgst -sha256 | sed 's/.* //')
SIGNATURE=$(printf '%s' "$NOW.POST./v1/payments.$HASH" | openssl dgst -sha256 -hmac "$PAY_SECRET" | sed 's/.* //')

curl --silent --show-error --fail-with-body "$URL/v1/payments" \
  -H "Content-Type: application/json" -H "Idempotency-Key: first-$NOW" \
  -H "X-PAY-Key: $KEY" -H "X-PAY-Timestamp: $NOW" -H "X-PAY-Signature: $SIGNATURE" \
  --data-binary "$BODY"
