/** The value of the longest dotted prefix of `name` (itself included, `""` last) that is a key, or undefined. */
export function longestPrefix<V>(entries: ReadonlyMap<string, V>, name: string): V | undefined {
  for (let prefix = name; ; prefix = prefix.slice(0, prefix.lastIndexOf('.'))) {
    const found = entries.get(prefix);
    if (found !== undefined) return found;
    if (!prefix.includes('.')) return entries.get('');
  }
}
