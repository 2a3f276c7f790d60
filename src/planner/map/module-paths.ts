/** Dotted paths of modules and tensors. */

/** The module that holds a tensor or module, `""` for the root. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('.')));
}

/** Every module that one of these lies in, the root apart. */
export function pathsAbove(paths: Iterable<string>): Set<string> {
  const above = new Set<string>();
  for (const path of paths) {
    for (let parent = parentOf(path); parent !== '' && !above.has(parent); parent = parentOf(parent)) above.add(parent);
  }
  return above;
}
