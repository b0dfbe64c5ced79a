// What a client is set up with: options and environment, checked once. The key's prefix decides the mode, and the mode
// the server.

import { ConfigurationError } from "./errors.js";
import type { Mode } from "./types.js";

export interface SwitchyardOptions {
  /** The app's public key, `pk_<mode>_…`; `PAY_KEY` unless given. */
  publicKey?: string | undefined;
  /** The app's secret, which signs; `PAY_SECRET` unless given. */
  secret?: string | undefined;
  /** `pk_<mode>_<public>.<secret>`, for the balance ledger and writes; `PAY_API_KEY` unless given. */
  apiKey?: string | undefined;
  /** Where `test` and `sandbox` are served. */
  sandboxUrl?: string | undefined;
  /** Where `live` is served. */
  productionUrl?: string | undefined;
  /** The server, whatever the mode. `PAY_URL` where no URL is given for the key's mode. */
  baseUrl?: string | undefined;
  /** The mode that the keys must be of; others are refused here and now. */
  expectMode?: Mode | undefined;
  /** For one try, in milliseconds: 30,000 unless given. */
  timeoutMs?: number | undefined;
  /** For a call with all its tries, in milliseconds: 90,000 unless given. */
  totalTimeoutMs?: number | undefined;
  /** How many tries may follow the first: 3 unless given. */
  maxRetries?: number | undefined;
  /** Instead of the global `fetch`. */
  fetch?: typeof globalThis.fetch | undefined;
}

export interface Config {
  mode: Mode;
  baseUrl: URL;
  /** All servers that the caller named. */
  named: URL[];
  publicKey: string | undefined;
  secret: string | undefined;
  apiKey: string | undefined;
  timeoutMs: number;
  totalTimeoutMs: number;
  maxRetries: number;
  fetch: typeof globalThis.fetch;
}

/** Reads options, then the environment. No message has a secret in it. */
export function configOf(options: SwitchyardOptions, environment: Record<string, string | undefined>): Config {
  const publicKey = options.publicKey || environment.PAY_KEY || undefined;
  const secret = options.secret || environment.PAY_SECRET || undefined;
  const apiKey = options.apiKey || environment.PAY_API_KEY || undefined;
  if ((publicKey === undefined) !== (secret === undefined)) {
    throw new ConfigurationError("publicKey and secret go together (PAY_KEY and PAY_SECRET)");
  }
  const keyMode = modeOf("publicKey", publicKey, /^pk_(test|sandbox|live)_[A-Za-z0-9]+$/);
  const apiKeyMode = modeOf("apiKey", apiKey, /^pk_(test|sandbox|live)_[!-\-/-~]+\.[!-~]+$/);
  const mode = keyMode ?? apiKeyMode;
  if (mode === undefined) throw new ConfigurationError("give publicKey and secret, or an apiKey, or both");
  if (keyMode !== undefined && apiKeyMode !== undefined && keyMode !== apiKeyMode) {
    throw new ConfigurationError(`publicKey is of mode ${keyMode} and apiKey of mode ${apiKeyMode}`);
  }
  if (options.expectMode !== undefined && options.expectMode !== mode) {
    throw new ConfigurationError(`mode ${options.expectMode} is expected, and the key is of mode ${mode}`);
  }
  const ofMode = mode === "live" ? "productionUrl" : "sandboxUrl";
  const baseUrl = options.baseUrl || options[ofMode] || environment.PAY_URL;
  if (!baseUrl) throw new ConfigurationError(`no server is given for mode ${mode}: give baseUrl, ${ofMode} or PAY_URL`);
  const fetch = options.fetch ?? globalThis.fetch;
  if (typeof fetch !== "function") throw new ConfigurationError("there is no global fetch here: give fetch");
  return {
    mode,
    baseUrl: urlOf(baseUrl),
    named: [baseUrl, options.sandboxUrl, options.productionUrl].flatMap((url) => (url ? [urlOf(url)] : [])),
    publicKey,
    secret,
    apiKey,
    timeoutMs: options.timeoutMs ?? 30_000,
    totalTimeoutMs: options.totalTimeoutMs ?? 90_000,
    maxRetries: options.maxRetries ?? 3,
    fetch,
  };
}

function modeOf(name: string, key: string | undefined, form: RegExp): Mode | undefined {
  if (key === undefined) return undefined;
  const mode = form.exec(key)?.[1];
  if (mode === undefined)
    throw new ConfigurationError(`${name} does not begin with pk_test_, pk_sandbox_ or pk_live_, or is cut off`);
  return mode as Mode;
}

function urlOf(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new ConfigurationError("a base URL is not a URL such as https://pay.example");
  }
  if (!/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new ConfigurationError("a base URL is http or https, without user, query and fragment");
  }
  return url;
}

/** Whether a URL is of this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}
