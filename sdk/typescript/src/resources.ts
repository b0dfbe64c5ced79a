// What a signed app can do, one class for each noun of `/v1`. The stream of events is in stream.ts, the ledger in
// balance.ts.

import type { EventRecord } from "./events.js";
import type { Call, CallOptions, Transport } from "./http.js";
import { path } from "./http.js";
import type { Page } from "./pages.js";
import { Pages } from "./pages.js";
import type { EventStream, StreamOptions } from "./stream.js";
import { stream } from "./stream.js";
import type {
  Customer,
  CustomerQuery,
  EventQuery,
  Invoice,
  InvoiceQuery,
  InvoiceRequest,
  KycStatus,
  Payment,
  PaymentLink,
  PaymentLinkQuery,
  PaymentLinkRequest,
  PaymentQuery,
  PaymentRequest,
  Redelivery,
  Refund,
  RefundQuery,
  RefundRequest,
  Route,
  RouteQuery,
  Subscription,
  SubscriptionQuery,
  TimelineEntry,
} from "./types.js";

class Resource {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  protected read<T>(path: string, options?: CallOptions, query?: object): Promise<T> {
    return this.#transport.call<T>({ method: "GET", path, query, options, auth: "signature" });
  }

  protected write<T>(path: string, body: unknown, options?: CallOptions): Promise<T> {
    return this.#transport.call<T>({ method: "POST", path, body, options, auth: "signature" });
  }

  protected pages<T>(path: string, query?: object, options?: CallOptions): Pages<T> {
    return new Pages((cursor) =>
      this.read<Page<T>>(path, options, cursor === undefined ? query : { ...query, cursor }),
    );
  }

  protected open(call: Call, signal: AbortSignal): Promise<Response> {
    return this.#transport.open(call, signal);
  }
}

export class Payments extends Resource {
  /** Asks for a payment; send the buyer to its `checkout_url`. */
  async create(request: PaymentRequest, options?: CallOptions): Promise<Payment> {
    return this.write("/v1/payments", request, options);
  }
  async get(paymentId: string, options?: CallOptions): Promise<Payment> {
    return this.read(path`/v1/payments/${paymentId}`, options);
  }
  /** Newest first. */
  list(query?: PaymentQuery, options?: CallOptions): Pages<Payment> {
    return this.pages("/v1/payments", query, options);
  }
  async cancel(paymentId: string, options?: CallOptions): Promise<Payment> {
    return this.write(path`/v1/payments/${paymentId}/cancel`, undefined, options);
  }
  /** Every attempt, answer, webhook, transition and delivery, in order. */
  async timeline(paymentId: string, options?: CallOptions): Promise<TimelineEntry[]> {
    return (await this.read<Page<TimelineEntry>>(path`/v1/payments/${paymentId}/timeline`, options)).data;
  }
}

export class Refunds extends Resource {
  /** Gives back a part, or without `amount_minor` all that is left. */
  async create(request: RefundRequest, options?: CallOptions): Promise<Refund> {
    return this.write("/v1/refunds", request, options);
  }
  async get(refundId: string, options?: CallOptions): Promise<Refund> {
    return this.read(path`/v1/refunds/${refundId}`, options);
  }
  /** Newest first. */
  list(query?: RefundQuery, options?: CallOptions): Pages<Refund> {
    return this.pages("/v1/refunds", query, options);
  }
}

export class Subscriptions extends Resource {
  async get(subscriptionId: string, options?: CallOptions): Promise<Subscription> {
    return this.read(path`/v1/subscriptions/${subscriptionId}`, options);
  }
  /** Newest first. */
  list(query?: SubscriptionQuery, options?: CallOptions): Pages<Subscription> {
    return this.pages("/v1/subscriptions", query, options);
  }
  /** Ends it with its period, or with `at_period_end: false` at once. */
  async cancel(
    subscriptionId: string,
    how?: { at_period_end?: boolean },
    options?: CallOptions,
  ): Promise<Subscription> {
    return this.write(path`/v1/subscriptions/${subscriptionId}/cancel`, how, options);
  }
}

export class Customers extends Resource {
  async get(externalUserId: string, options?: CallOptions): Promise<Customer> {
    return this.read(path`/v1/customers/${externalUserId}`, options);
  }
  /** In the order of their ids. */
  list(query?: CustomerQuery, options?: CallOptions): Pages<Customer> {
    return this.pages("/v1/customers", query, options);
  }
  async setKyc(externalUserId: string, status: KycStatus, options?: CallOptions): Promise<Customer> {
    return this.write(path`/v1/customers/${externalUserId}/kyc`, { status }, options);
  }
}

export class Events extends Resource {
  /** Newest first. */
  list(query?: EventQuery, options?: CallOptions): Pages<EventRecord> {
    return this.pages("/v1/events", query, options);
  }
  /** With its deliveries. */
  async get(eventId: string, options?: CallOptions): Promise<EventRecord> {
    return this.read(path`/v1/events/${eventId}`, options);
  }
  /** Sends an event to its endpoints again. */
  async redeliver(eventId: string, options?: CallOptions): Promise<Redelivery> {
    return this.write(path`/v1/events/${eventId}/redeliver`, undefined, options);
  }
  /** Sends again everything that was given up since a moment. */
  async redeliverSince(since: Date | string, options?: CallOptions): Promise<Redelivery> {
    return this.write("/v1/events/redeliver", { since: since instanceof Date ? since.toISOString() : since }, options);
  }
  /** Events as they happen, without an end. See [`EventStream`]. */
  stream(options?: StreamOptions): EventStream {
    return stream((call, signal) => this.open(call, signal), options);
  }
}

export class Routes extends Resource {
  /** Where a payment would go, and what stands against the others. */
  async explain(query: RouteQuery, options?: CallOptions): Promise<Route> {
    return this.read("/v1/routes", options, query);
  }
}

export class Invoices extends Resource {
  async create(request: InvoiceRequest, options?: CallOptions): Promise<Invoice> {
    return this.write("/v1/invoices", request, options);
  }
  async get(invoiceId: string, options?: CallOptions): Promise<Invoice> {
    return this.read(path`/v1/invoices/${invoiceId}`, options);
  }
  list(query?: InvoiceQuery, options?: CallOptions): Pages<Invoice> {
    return this.pages("/v1/invoices", query, options);
  }
  /** Opens a draft. */
  async finalize(invoiceId: string, options?: CallOptions): Promise<Invoice> {
    return this.write(path`/v1/invoices/${invoiceId}/finalize`, undefined, options);
  }
  async void(invoiceId: string, options?: CallOptions): Promise<Invoice> {
    return this.write(path`/v1/invoices/${invoiceId}/void`, undefined, options);
  }
}

export class PaymentLinks extends Resource {
  async create(request: PaymentLinkRequest, options?: CallOptions): Promise<PaymentLink> {
    return this.write("/v1/payment_links", request, options);
  }
  async get(paymentLinkId: string, options?: CallOptions): Promise<PaymentLink> {
    return this.read(path`/v1/payment_links/${paymentLinkId}`, options);
  }
  list(query?: PaymentLinkQuery, options?: CallOptions): Pages<PaymentLink> {
    return this.pages("/v1/payment_links", query, options);
  }
  async close(paymentLinkId: string, options?: CallOptions): Promise<PaymentLink> {
    return this.write(path`/v1/payment_links/${paymentLinkId}/close`, undefined, options);
  }
}
