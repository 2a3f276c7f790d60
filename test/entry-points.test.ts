/** The commands are the first users of the library: what is public they take from its entry points. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const ENTRIES = ['planner', 'planner/models', 'loader', 'runtime', 'highs'].map((entry) => `src/${entry}/index.ts`);

interface Name {
  readonly name: string;
  readonly file: string;
}

/** The names that stand in statements such as `import { type A, b } from './c.js'`. */
function namesFrom(file: string, keyword: 'import' | 'export'): Name[] {
  const statements = readFileSync(join(ROOT, file), 'utf8').matchAll(
    new RegExp(String.raw`^${keyword} (?:type )?\{([^}]*)\} from '(\..*?)\.js'`, 'gm'),
  );
  return [...statements].flatMap(([, names = '', from = '']) =>
    names
      .split(',')
      .map((name) => name.trim().replace(/^type | as .*/g, ''))
      .filter((name) => name !== '')
      .map((name) => ({ name, file: normalize(join(dirname(file), `${from}.ts`)) })),
  );
}

it('commands import from the entry points what those export', () => {
  const entryOf = new Map(
    ENTRIES.flatMap((entry) => namesFrom(entry, 'export').map(({ name, file }) => [`${file} ${name}`, entry])),
  );
  expect(entryOf.size).toBeGreaterThan(100);
  const commands = readdirSync(join(ROOT, 'cli'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /(?<!\.test)\.ts$/.test(file))
    .map((file) => join('cli', file));
  const past = commands.flatMap((command) =>
    namesFrom(command, 'import').flatMap(({ name, file }) => {
      const entry = entryOf.get(`${file} ${name}`);
      return entry === undefined ? [] : [`${command}: ${name} is in ${entry}`];
    }),
  );
  expect(past).toEqual([]);
});

it('only modules that are imported for what they do have effects', () => {
  const { sideEffects } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { sideEffects: string[] };
  const sources = ['src', 'cli'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(folder, file)),
  );
  const bare = new Set(
    sources.flatMap((file) =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^import '(\..*?)\.js';/gm)].map(([, from = '']) =>
        normalize(join(dirname(file), from)),
      ),
    ),
  );
  expect(bare.size).toBeGreaterThan(0);
  for (const module of bare) {
    expect(sideEffects).toContain(`./${module}.ts`);
    expect(sideEffects).toContain(`./dist/${module}.js`);
  }
});
