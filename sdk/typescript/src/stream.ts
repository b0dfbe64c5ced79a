// The stream of events: server-sent events, read as they come, begun again where they broke off.

import { SwitchyardError, TimeoutError } from "./errors.js";
import type { AppEvent } from "./events.js";
import type { Call } from "./http.js";
import { connectionError } from "./http.js";
import { isWorthRetrying, sleep, waitAfter } from "./retry.js";

export interface StreamOptions {
  /** Events of these types alone. */
  types?: AppEvent["event"][] | undefined;
  /** The `event_id` after which to begin; with what happens from now on unless given. */
  after?: string | undefined;
  /** Ends the iteration, without an error. */
  signal?: AbortSignal | undefined;
  /** Milliseconds without a sign of life after which the connection is taken for dead: 60,000 unless given. */
  silenceMs?: number | undefined;
}

/**
 * An app's events in order, each at least once. What broke off is begun again after the last event, for as long as it
 * takes; an answer that says no for good (a bad key, a mode that is not served) is thrown.
 */
export type EventStream = AsyncIterable<AppEvent>;

interface Message {
  id: string;
  data: string;
}

export async function* stream(
  open: (call: Call, signal: AbortSignal) => Promise<Response>,
  { types, after, signal, silenceMs = 60_000 }: StreamOptions = {},
): AsyncGenerator<AppEvent, void, undefined> {
  const query = { types: types?.join(",") };
  const call: Call = { method: "GET", path: "/v1/events/stream", query, auth: "signature" };
  for (let failures = 0; !signal?.aborted; failures += 1) {
    const connection = new AbortController();
    const stop = () => connection.abort();
    let watch = setTimeout(stop, silenceMs);
    signal?.addEventListener("abort", stop, { once: true });
    let failure: SwitchyardError;
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (after !== undefined) headers["Last-Event-ID"] = after;
      const response = await open({ ...call, headers }, connection.signal);
      const isAlive = () => {
        clearTimeout(watch);
        watch = setTimeout(stop, silenceMs);
        failures = 0;
      };
      for await (const { id, data } of messagesOf(response, isAlive)) {
        // While the caller works on an event, silence says nothing.
        clearTimeout(watch);
        yield JSON.parse(data) as AppEvent;
        isAlive();
        after = id || after;
      }
      failure = connectionError(new Error("the stream ended"));
    } catch (error) {
      failure = connection.signal.aborted ? new TimeoutError("nothing came for too long") : connectionError(error);
    } finally {
      clearTimeout(watch);
      signal?.removeEventListener("abort", stop);
      connection.abort();
    }
    if (signal?.aborted) return;
    if (!isWorthRetrying(failure)) throw failure;
    await sleep(waitAfter(failure, failures), signal).catch(() => undefined);
  }
}

/** The messages of a response. Comments, which keep the connection alive, are told of and left out. */
async function* messagesOf(response: Response, isAlive: () => void): AsyncGenerator<Message, void, undefined> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  let rest = "";
  let [id, data] = ["", [] as string[]];
  for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
    isAlive();
    const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, field, value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (field === "id") id = value;
      else if (field === "data") data.push(value);
      else if (line === "" && data.length > 0) {
        yield { id, data: data.join("\n") };
        data = [];
      }
    }
  }
}
