/** Dotted paths of modules and tensors. */

/** The module that holds a tensor or module, `""` for the root. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('.')));
}

/** Whether a path is a module's own or lies in it; all lie in the root, "". */
export function isWithin(path: string, module: string): boolean {
  if (module === '') return true;
  return path.startsWith(module) && (path.length === module.length || path[module.length] === '.');
}

/** A few of what may be many paths, for a sentence. */
export function sample(paths: readonly string[]): string {
  return paths.length <= 3 ? paths.join(', ') : `${paths.slice(0, 3).join(', ')} and ${paths.length - 3} more`;
}

/** Every module that one of these lies in, the root apart. */
export function pathsAbove(paths: Iterable<string>): Set<string> {
  const above = new Set<string>();
  for (const path of paths) {
    for (let parent = parentOf(path); parent !== '' && !above.has(parent); parent = parentOf(parent)) above.add(parent);
  }
  return above;
}
