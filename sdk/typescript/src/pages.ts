// Lists: an async iterable over everything, page after page, each asked for when it is needed.

/** A page of a list. */
export interface Page<T> {
  data: T[];
  /** What to give as `cursor` for the next page; null on the last. */
  next_cursor: string | null;
}

/** A list that is not asked for before it is iterated over, or its first page is wanted. */
export class Pages<T> implements AsyncIterable<T> {
  readonly #fetch: (cursor: string | undefined) => Promise<Page<T>>;

  /** `fetch` gets a page: the first of the query without a cursor. */
  constructor(fetch: (cursor: string | undefined) => Promise<Page<T>>) {
    this.#fetch = fetch;
  }

  /** The first page alone, or the one that the query's `cursor` names. */
  page(): Promise<Page<T>> {
    return this.#fetch(undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    let page = await this.page();
    for (;;) {
      yield* page.data;
      if (page.next_cursor === null || page.next_cursor === undefined) return;
      page = await this.#fetch(page.next_cursor);
    }
  }
}
