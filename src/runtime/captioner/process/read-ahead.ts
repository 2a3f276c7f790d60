/** What a source gives before it is asked for. */
type Given<Item> = { readonly item: Item } | { readonly error: unknown };

export interface Ahead<Item> {
  /** Items that wait to be taken. */
  readonly most: number;
  /** Once those that wait have so many, no more is read. */
  readonly mostBytes: number;
  readonly bytesOf: (item: Item) => number;
}

/**
 * Reads a source ahead of whoever takes its items: what takes a moment each, such as looking at a file, is there all at once when it is wanted.
 * A failure comes after what was read before it.
 */
export function readAhead<Item>(
  source: AsyncIterator<Item>,
  { most, mostBytes, bytesOf }: Ahead<Item>,
): AsyncIterator<Item, undefined> {
  const waiting: Given<Item>[] = [];
  let bytes = 0;
  let isEnded = false;
  let isReading = false;
  let changed: () => void = () => undefined;
  const read = async (): Promise<void> => {
    if (isReading) return;
    isReading = true;
    while (!isEnded && waiting.length < most && bytes < mostBytes) {
      try {
        const { done, value } = await source.next();
        if (done === true) isEnded = true;
        else {
          waiting.push({ item: value });
          bytes += bytesOf(value);
        }
      } catch (error) {
        waiting.push({ error });
        isEnded = true;
      }
      changed();
    }
    isReading = false;
  };
  return {
    async next() {
      for (;;) {
        void read();
        const given = waiting.shift();
        if (given !== undefined) {
          if ('error' in given) throw given.error;
          bytes -= bytesOf(given.item);
          return { done: false, value: given.item };
        }
        if (isEnded) return { done: true, value: undefined };
        await new Promise<void>((resolve) => (changed = resolve));
      }
    },
  };
}
