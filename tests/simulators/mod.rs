//! Providers as the gateway meets them: HTTP servers with state that speak the real wire format and sign their webhooks
//! as the provider does. Tests start them on free ports; the `psp-simulator` example starts them for a person.

#[path = "nicepay.rs"]
pub mod nicepay;
#[path = "paypal.rs"]
pub mod paypal;
#[path = "polar.rs"]
pub mod polar;
pub mod proxy;
