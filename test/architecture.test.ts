/** The tree is as ARCHITECTURE.md says: who imports whom, no circles between rooms, and what is pure. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './cli/command.js';

const PARTS = ['src', 'cli', 'web/src'];
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g;

const files = PARTS.flatMap((part) =>
  readdirSync(join(ROOT, part), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !/\.(test|as|d)\.ts$/.test(name))
    .map((name) => join(part, name)),
);
/** Imports: what is imported is a file of the tree, or the name of a package. */
const arrows = files.flatMap((from) =>
  [...readFileSync(join(ROOT, from), 'utf8').matchAll(IMPORT)].map(([, spec = '']) => ({
    from,
    to: spec.startsWith('.') ? target(join(dirname(from), spec)) : spec,
  })),
);
const inside = arrows.filter(({ to }) => files.includes(to));

function target(path: string): string {
  return (
    [path.replace(/\.js$/, '.ts'), path.replace(/\.js$/, '.tsx'), path].find((each) => files.includes(each)) ?? path
  );
}

/** `src/loader` of `src/loader/hub/hub-cache.ts`; null for a file of `src` itself. */
function partOf(file: string): string | null {
  const [first = '', second = '', third] = file.split('/');
  if (first === 'cli') return first;
  return third === undefined ? null : `${first}/${second}`;
}

/** Names that can reach each other, of a folder's files and folders. */
function circles(folder: string): string[] {
  const room = (file: string) =>
    file.startsWith(`${folder}/`) ? file.slice(folder.length + 1).split('/')[0] : undefined;
  const next = new Map<string, Set<string>>();
  for (const { from, to } of inside) {
    const [a, b] = [room(from), room(to)];
    if (a === undefined || b === undefined || a === b) continue;
    next.set(a, (next.get(a) ?? new Set()).add(b));
  }
  const reached = (start: string) => {
    const found = new Set<string>();
    const open = [start];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const each of next.get(at) ?? []) if (!found.has(each)) open.push(each);
      for (const each of next.get(at) ?? []) found.add(each);
    }
    return found;
  };
  return [...next.keys()].filter((name) => reached(name).has(name)).map((name) => `${folder}/${name}`);
}

/** What a part imports that is not of this tree, directly or by what it imports. */
function packagesOf(part: string): string[] {
  const seen = new Set(files.filter((file) => file.startsWith(`${part}/`)));
  for (const file of seen) for (const { from, to } of inside) if (from === file) seen.add(to);
  return [
    ...new Set(arrows.filter(({ from, to }) => seen.has(from) && !/^\.|^(src|cli|web)\//.test(to)).map(({ to }) => to)),
  ];
}

describe('ARCHITECTURE.md', () => {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([^`]+)` +\|[^|]*\|([^|]*)\|$/gm)].map(([, folder = '', imports = '']) => ({
    folder,
    imports: imports.split(',').flatMap((name) => name.trim() || []),
  }));
  const folderOf = (name: string) => rows.find(({ folder }) => folder.split('/').includes(name))?.folder ?? name;

  it('has a row for every part', () => {
    const parts = new Set(files.map((file) => partOf(file)).filter((part) => part !== null));
    expect(rows.map(({ folder }) => folder).toSorted()).toEqual([...parts].toSorted());
  });

  it.each(rows)('says what $folder imports', ({ folder, imports }) => {
    const imported = inside.filter(({ from }) => partOf(from) === folder).map(({ to }) => partOf(to));
    const others = imported.flatMap((part) => (part === null || part === folder ? [] : [part]));
    expect([...new Set(others)].toSorted()).toEqual(imports.map(folderOf).toSorted());
  });

  it('lets imports go up only', () => {
    const floor = new Map(rows.map(({ folder }, i) => [folder, i]));
    const down = inside.filter(({ from, to }) => {
      const [a, b] = [partOf(from), partOf(to)];
      return b !== null && (a === null ? !from.endsWith('src/index.ts') : (floor.get(a) ?? 0) < (floor.get(b) ?? 0));
    });
    expect(down).toEqual([]);
  });
});

describe('the tree', () => {
  it('has every file that is imported', () => {
    const missing = arrows.filter(({ to }) => /^(src|cli|web)\//.test(to) && !existsSync(join(ROOT, to)));
    expect(missing.filter(({ to }) => !/\.(wasm|d\.ts)$/.test(to))).toEqual([]);
    expect(inside.length).toBeGreaterThan(1000);
  });

  it('has no rooms that import each other', () => {
    const folders = new Set(
      files.flatMap((file) =>
        dirname(file)
          .split('/')
          .map((_, i, names) => names.slice(0, i + 1).join('/')),
      ),
    );
    // One after the other: a circle in a folder shows in none above it.
    expect([...folders].flatMap(circles)).toEqual([]);
  });

  it.each(['src/tensor', 'src/model', 'src/planner'])('%s needs zod and nothing else', (part) => {
    expect(packagesOf(part).filter((name) => name !== 'zod')).toEqual([]);
  });

  it('web/src needs nothing of Node', () => {
    expect(packagesOf('web/src').filter((name) => /^node:|onnxruntime|sharp|koffi/.test(name))).toEqual([]);
  });
});
