/**
 * What of a block may stay on the GPU while the rest of it is streamed there, level by level. transformers copies module by
 * module and runs each on the GPU that the block runs on, so a map may leave some of them there.
 */

/** A tensor of a block. */
interface Part {
  readonly name: string;
  /** Path of the module that holds it. */
  readonly module: string;
  /** Once loaded. */
  readonly bytes: number;
}

/** Names of the tensors that stay. */
type Level = ReadonlySet<string>;

/** Of a block's bytes: what one module may have to be kept in any case. A copy takes half a millisecond, whatever it holds (bench/planner). */
const SMALL_PART = 0.005;

/** Of the widest module: what one may have to be streamed with it. */
const AS_WIDE = 0.4;

const NOTHING: Level = new Set();

/**
 * The levels of a block: nothing, its small modules (norms, mostly), then all but its widest, which are most of its bytes in
 * few copies. Nothing alone where a module holds tensors beside other modules, since its key would stand for those as well.
 * @param isKept of a map that is given: what it keeps is the only level then, if it is of whole modules
 */
export function keptLevels(
  block: string,
  parts: readonly Part[],
  isKept?: (tensor: string) => boolean,
): readonly Level[] {
  const bytes = new Map<string, number>();
  for (const { module, bytes: own } of parts) bytes.set(module, (bytes.get(module) ?? 0) + own);
  const modules = [...bytes.keys()];
  const isAbove = (module: string): boolean => modules.some((other) => other.startsWith(`${module}.`));
  if (modules.length < 2 || modules.some((module) => !module.startsWith(`${block}.`) || isAbove(module)))
    return [NOTHING];
  if (isKept !== undefined) {
    const own = new Set(parts.filter(({ name }) => isKept(name)).map(({ name }) => name));
    const split = new Set(parts.map(({ name, module }) => `${module} ${own.has(name)}`));
    return own.size === 0 || own.size === parts.length || split.size > modules.length ? [NOTHING] : [NOTHING, own];
  }
  const sizes = [...bytes.values()];
  const wide = AS_WIDE * Math.max(...sizes);
  // Of hundreds of modules that are alike each is a small part.
  const small = Math.min(wide, SMALL_PART * sizes.reduce((a, b) => a + b, 0));
  const upTo = (most: number): Level =>
    new Set(parts.filter(({ module }) => (bytes.get(module) ?? 0) <= most).map(({ name }) => name));
  const levels = [NOTHING, upTo(small), upTo(wide)];
  return levels.filter((level, i) => levels.findIndex(({ size }) => size === level.size) === i);
}
