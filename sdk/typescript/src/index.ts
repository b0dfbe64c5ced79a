// What the package gives.

export { Switchyard } from "./client.js";
export type { SwitchyardOptions } from "./config.js";
export * from "./errors.js";
export type * from "./events.js";
export type { CallOptions } from "./http.js";
export type { WaitOptions } from "./balance.js";
export type { components, paths } from "./openapi.js";
export { Pages } from "./pages.js";
export type { Page } from "./pages.js";
export * as proofs from "./proofs.js";
export type { Proven } from "./proofs.js";
export { requestSignature } from "./signing.js";
export type { EventStream, StreamOptions } from "./stream.js";
export type * from "./types.js";
export * as webhooks from "./webhooks.js";
export type { VerifyOptions, WebhookHeaders } from "./webhooks.js";
