// The client: one object for one app and its mode. What it can do is in resources.ts and balance.ts.

import { Balance, Writes } from "./balance.js";
import type { SwitchyardOptions } from "./config.js";
import { configOf } from "./config.js";
import { Transport } from "./http.js";
import { Customers, Events, Invoices, PaymentLinks, Payments, Refunds, Routes, Subscriptions } from "./resources.js";
import type { Mode } from "./types.js";

/** Speaks to a Switchyard as one app. The mode is that of its keys. */
export class Switchyard {
  readonly mode: Mode;
  readonly payments: Payments;
  readonly refunds: Refunds;
  readonly subscriptions: Subscriptions;
  readonly customers: Customers;
  readonly events: Events;
  readonly routes: Routes;
  readonly invoices: Invoices;
  readonly paymentLinks: PaymentLinks;
  /** Wants an API key. */
  readonly balance: Balance;
  /** Wants an API key. */
  readonly writes: Writes;

  /** What is not given is taken from `PAY_URL`, `PAY_KEY`, `PAY_SECRET` and `PAY_API_KEY`. */
  constructor(options: SwitchyardOptions = {}) {
    const config = configOf(options, process.env);
    // The secrets are in private fields from here on: neither printing nor JSON shows them.
    const transport = new Transport(config);
    this.mode = config.mode;
    this.payments = new Payments(transport);
    this.refunds = new Refunds(transport);
    this.subscriptions = new Subscriptions(transport);
    this.customers = new Customers(transport);
    this.events = new Events(transport);
    this.routes = new Routes(transport);
    this.invoices = new Invoices(transport);
    this.paymentLinks = new PaymentLinks(transport);
    this.balance = new Balance(transport);
    this.writes = new Writes(transport);
  }
}
