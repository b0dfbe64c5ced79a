// The balance ledger and writes, with an API key. Decimals go out with the digits that they are given with, and come as
// texts: see exact.ts. Proofs are checked in proofs.ts.

import { SwitchyardError, TimeoutError } from "./errors.js";
import { exact } from "./exact.js";
import type { CallOptions, Transport } from "./http.js";
import { path } from "./http.js";
import type { Page } from "./pages.js";
import { Pages } from "./pages.js";
import { sleep } from "./retry.js";
import type {
  AmountOfReference,
  BatchTaken,
  Checkpoint,
  CheckpointQuery,
  CheckpointRequest,
  Comparison,
  ComparisonRequest,
  Delta,
  DeltaProof,
  DeltaRequest,
  DeltaTaken,
  DeriveQuery,
  Derived,
  KnownRoot,
  Receipt,
  Stretch,
  WriteItem,
  WriteRequest,
  WritesTaken,
} from "./types.js";

export interface WaitOptions extends CallOptions {
  /** How long to wait for the delta to be verified, in milliseconds: 30,000 unless given. */
  waitMs?: number | undefined;
}

class LedgerResource {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  protected read<T>(
    path: string,
    options?: CallOptions,
    query?: object,
    auth: "apiKey" | "none" = "apiKey",
  ): Promise<T> {
    return this.#transport.call<T>({ method: "GET", path, query, options, auth });
  }

  protected write<T>(path: string, body: unknown, options?: CallOptions): Promise<T> {
    return this.#transport.call<T>({ method: "POST", path, body, options, auth: "apiKey" });
  }
}

export class Balance extends LedgerResource {
  /** Moves a customer's balance. It is taken in as `QUEUED` and verified in a moment. */
  async emit(delta: DeltaRequest, options?: CallOptions): Promise<DeltaTaken> {
    return this.write("/api/v1/balance/delta", written(delta), options);
  }

  /** Up to 1,000 at once; says of each what came of it. */
  async emitBatch(deltas: DeltaRequest[], options?: CallOptions): Promise<BatchTaken> {
    const body = { deltas: deltas.map((delta, index) => written(delta, `deltas[${index}].`)) };
    return this.write("/api/v1/balance/delta/batch", body, options);
  }

  /** Emits, and waits until the delta is verified. One that fails, or is not there in time, is thrown. */
  async emitAndWait(delta: DeltaRequest, { waitMs = 30_000, ...options }: WaitOptions = {}): Promise<Delta> {
    const deadline = performance.now() + waitMs;
    const { recordId } = await this.emit(delta, options);
    const { idempotencyKey: _, ...reading } = options;
    for (let pause = 20; ; pause = Math.min(pause * 2, 1000)) {
      const found = await this.get(recordId, reading);
      if (found.status === "VERIFIED") return found;
      if (found.status === "FAILED") {
        throw new SwitchyardError(`the delta ${recordId} failed: ${found.error}`, { code: "DeltaFailed", body: found });
      }
      if (performance.now() + pause > deadline) {
        throw new TimeoutError(`the delta ${recordId} is not verified after ${waitMs} ms`, { body: found });
      }
      await sleep(pause, options.signal);
    }
  }

  async get(recordId: string, options?: CallOptions): Promise<Delta> {
    return this.read(path`/api/v1/balance/delta/${recordId}`, options);
  }

  /** A customer's balance, and a page of the deltas that make it. The balance covers all of them. */
  async derive(customerId: string, query: DeriveQuery = {}, options?: CallOptions): Promise<Derived> {
    const { startingBalance, ...rest } = query;
    const starting =
      startingBalance === undefined ? {} : { startingBalance: exact(startingBalance, "startingBalance").text };
    return this.read(path`/api/v1/balance/derive/${customerId}`, options, { ...rest, ...starting });
  }

  /** Says of two sides who has what the ledger has. */
  async compare(comparison: ComparisonRequest, options?: CallOptions): Promise<Comparison> {
    const { yourBalance, theirBalance, startingBalance, yourDeltas, theirDeltas, ...rest } = comparison;
    const body = {
      ...rest,
      yourBalance: exact(yourBalance, "yourBalance"),
      theirBalance: exact(theirBalance, "theirBalance"),
      startingBalance: startingBalance === undefined ? undefined : exact(startingBalance, "startingBalance"),
      yourDeltas: amounts(yourDeltas, "yourDeltas"),
      theirDeltas: amounts(theirDeltas, "theirDeltas"),
    };
    return this.write("/api/v1/balance/compare", body, options);
  }

  /** Signs the root over a customer's deltas, or everybody's, now. With nothing new in it, the one that there is. */
  async checkpoint(of: CheckpointRequest = {}, options?: CallOptions): Promise<Checkpoint> {
    return this.write("/api/v1/balance/checkpoint", of, options);
  }

  /** Newest first. */
  checkpoints(query: CheckpointQuery = {}, options?: CallOptions): Pages<Checkpoint> {
    return new Pages(async (cursor): Promise<Page<Checkpoint>> => {
      const offset = cursor === undefined ? (query.offset ?? 0) : Number(cursor);
      type Found = { checkpoints: Checkpoint[]; hasMore: boolean };
      const found = await this.read<Found>("/api/v1/balance/checkpoints", options, { ...query, offset });
      const next = offset + found.checkpoints.length;
      return { data: found.checkpoints, next_cursor: found.hasMore ? String(next) : null };
    });
  }

  /** A customer's deltas of a stretch, with all that `proofs.verify` needs. */
  async receipt(customerId: string, stretch?: Stretch, options?: CallOptions): Promise<Receipt> {
    return this.read(path`/api/v1/balance/receipt/${customerId}`, options, stretch);
  }

  /** What proves one delta; under a certain checkpoint if one is named, by its id or root. */
  async proof(recordId: string, query?: { checkpoint?: string }, options?: CallOptions): Promise<DeltaProof> {
    return this.read(path`/api/v1/balance/delta/${recordId}/proof`, options, query);
  }

  /** What anyone may know of a root. No key is sent. */
  async verify(proofRoot: string, options?: CallOptions): Promise<KnownRoot> {
    return this.read(path`/api/v1/verify/${proofRoot}`, options, undefined, "none");
  }
}

export class Writes extends LedgerResource {
  /** Queues up to 1,000 items; each is verified in turn. */
  async create(items: WriteItem[], options?: CallOptions): Promise<WritesTaken> {
    const body = { items: items.map((item, index) => ({ ...item, bits: exact(item.bits, `items[${index}].bits`) })) };
    return this.write("/api/v1/writes", body, options);
  }

  /** The request with the status of each item. */
  async get(requestId: string, options?: CallOptions): Promise<WriteRequest> {
    return this.read(path`/api/v1/writes/${requestId}`, options);
  }
}

function written(delta: DeltaRequest, place = ""): object {
  return { ...delta, delta: exact(delta.delta, `${place}delta`) };
}

function amounts(of: AmountOfReference[] | undefined, name: string): object[] | undefined {
  return of?.map((item, index) => ({ ...item, amount: exact(item.amount, `${name}[${index}].amount`) }));
}
