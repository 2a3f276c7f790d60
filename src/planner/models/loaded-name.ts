/** From the names of a file to those of the loaded model, as transformers 5 translates them. */
import type { Rename } from './read-model-table.js';

/** Translates the names of one class. Names go in in any order, but for groups, which begin with the name that marks them. */
export type Renamer = (name: string) => string;

interface Compiled {
  readonly rename: Rename;
  readonly pattern: RegExp;
  /** Number of each source's own group. */
  readonly groups: readonly number[];
}

/**
 * @param prefix what stands before the names of the base model
 * @param depth how many parts of a path the class has modules for: it decides whether the prefix is added or dropped
 */
export function renamer(renames: readonly Rename[], prefix: string, depth: (name: string) => number): Renamer {
  const simple = renames.filter(({ kind }) => kind !== 'merge').map(compile);
  const merges = renames.filter(({ kind }) => kind === 'merge').map(compile);
  const marked = new Set<Rename>();
  const translate = (source: string, withRenames: boolean): string => {
    let name = source;
    if (withRenames) {
      for (const each of simple) name = apply(each, name, prefix, marked) ?? name;
      for (const each of merges) {
        const found = apply(each, name, prefix, marked);
        if (found === null) continue;
        name = found;
        break;
      }
    }
    return prefixed(name, prefix, depth);
  };
  return (source) => {
    const renamed = translate(source, true);
    if (depth(renamed) === Infinity) return renamed;
    const plain = translate(source, false);
    return depth(plain) === Infinity ? plain : renamed;
  };
}

/** The loader adds or drops the base model's prefix where that gives a name that the model has; that it has the prefix says nothing. */
function prefixed(name: string, prefix: string, depth: (name: string) => number): string {
  if (prefix === '') return name;
  const dropped = name.startsWith(`${prefix}.`) ? name.slice(prefix.length + 1) : null;
  const added = `${prefix}.${name}`;
  const own = depth(name);
  if (dropped !== null && depth(dropped) > own) return dropped;
  return depth(added) > Math.max(own, prefix.split('.').length) ? added : name;
}

function compile(rename: Rename): Compiled {
  const branches = rename.sources
    .map((source, index) => {
      const pattern = source.replaceAll('*.', String.raw`.*\.`);
      return { index, length: source.length, text: /[a-zA-Z0-9]$/.test(pattern) ? `${pattern}(?!\\w)` : pattern };
    })
    .sort((a, b) => b.length - a.length);
  const groups: number[] = [];
  let next = 1;
  for (const { index, text } of branches) {
    groups[index] = next;
    next += 1 + countGroups(text);
  }
  return { rename, pattern: new RegExp(branches.map(({ text }) => `(${text})`).join('|')), groups };
}

const countGroups = (pattern: string): number => (new RegExp(`${pattern}|`).exec('')?.length ?? 1) - 1;

/** The renamed name; null where nothing matches. */
function apply(
  { rename, pattern, groups }: Compiled,
  name: string,
  prefix: string,
  marked: Set<Rename>,
): string | null {
  const before = scopeOf(rename, name, prefix);
  if (before === null) return null;
  const rest = name.slice(before.length);
  if (rename.kind === 'pair') return paired(name);
  const found = pattern.exec(rest);
  if (found === null) return null;
  const at = groups.findIndex((group) => found[group] !== undefined);
  const group = groups[at] ?? 1;
  if (rename.kind === 'group') {
    if (at === 0) marked.add(rename);
    else if (!marked.has(rename)) return null;
  }
  const target = rename.targets[rename.kind === 'group' ? at : 0] ?? '';
  const replacement = target.replaceAll(/\\(\d+)/g, (_, digits: string) => {
    const text = found[group + Number(digits)] ?? '';
    return rename.offset === 0 ? text : String(Number(text) + rename.offset);
  });
  // As the loader does: where the matched text stands first.
  return before + rest.replace(found[0], () => replacement);
}

/** What a scoped rename leaves out of its match: the path of its part, with or without the base model's prefix. */
function scopeOf({ scope }: Rename, name: string, prefix: string): string | null {
  if (scope === null) return '';
  const part = scope === '' ? '' : `${scope}.`;
  const base = prefix === '' ? '' : `${prefix}.`;
  if (name.startsWith(base + part)) return base + part;
  return name.startsWith(part) ? part : null;
}

const PAIR = /layers\.(\d+)\.(mixer|attn_alpha|mlp_alpha)(?=\.|$)/;
const ALPHA: ReadonlyMap<string, string> = new Map([
  ['attn_alpha', 'lambda_1'],
  ['mlp_alpha', 'lambda_2'],
]);

/** Files that store a layer's attention and its feed-forward part as two layers. */
function paired(name: string): string | null {
  const found = PAIR.exec(name);
  if (found === null) return null;
  const index = Number(found[1]);
  const part = ALPHA.get(found[2] ?? '') ?? (index % 2 === 0 ? 'self_attn' : 'mlp');
  return name.replace(PAIR, `layers.${Math.floor(index / 2)}.${part}`);
}
