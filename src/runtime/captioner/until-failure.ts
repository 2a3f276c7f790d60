/** A source that ends where it fails, so that what it gave before is worked on; then `throwFailure` throws what it threw. */
export class UntilFailure<Item> implements AsyncIterable<Item> {
  readonly #source: Iterable<Item> | AsyncIterable<Item>;
  #failure: { readonly error: unknown } | null = null;

  constructor(source: Iterable<Item> | AsyncIterable<Item>) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    try {
      for await (const item of this.#source) yield item;
    } catch (error) {
      this.#failure = { error };
    }
  }

  /** @throws what the source threw */
  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}
