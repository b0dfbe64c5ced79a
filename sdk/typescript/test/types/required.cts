// The same for code that is CommonJS.

import switchyard = require("switchyard-pay");

const client = new switchyard.Switchyard({ publicKey: "pk_test_a", secret: "b", baseUrl: "https://pay.example" });
client.mode satisfies switchyard.Mode;
