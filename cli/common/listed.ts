/** A few names of what may be many. */
export function listed(names: readonly string[]): string {
  const quoted = names.slice(0, 3).map((name) => JSON.stringify(name));
  return `${quoted.join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;
}
