/** The value of the longest dotted prefix of `name` (itself included, `""` last) that is a key, or undefined. */
export function longestPrefix<V>(entries: ReadonlyMap<string, V>, name: string): V | undefined {
  for (let prefix = name; ;) {
    const found = entries.get(prefix);
    if (found !== undefined) return found;
    const dot = prefix.lastIndexOf('.');
    if (dot < 0) return entries.get('');
    prefix = prefix.slice(0, dot);
  }
}
