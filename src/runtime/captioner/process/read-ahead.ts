/** What a source gives before it is asked for. */
type Given<Item> = { readonly item: Item } | { readonly error: unknown };

/**
 * Reads a source ahead of whoever takes its items: what takes a moment each, such as looking at a file, is there all at once when it is wanted.
 * A failure comes after what was read before it.
 * @param most items that wait to be taken
 */
export function readAhead<Item>(source: AsyncIterator<Item>, most: number): AsyncIterator<Item, undefined> {
  const waiting: Given<Item>[] = [];
  let isEnded = false;
  let isReading = false;
  let changed: () => void = () => undefined;
  const read = async (): Promise<void> => {
    if (isReading) return;
    isReading = true;
    while (!isEnded && waiting.length < most) {
      try {
        const { done, value } = await source.next();
        if (done === true) isEnded = true;
        else waiting.push({ item: value });
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
          return { done: false, value: given.item };
        }
        if (isEnded) return { done: true, value: undefined };
        await new Promise<void>((resolve) => (changed = resolve));
      }
    },
  };
}
