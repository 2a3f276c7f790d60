/** What README.md shows runs as it stands: as a module, with a checkpoint and a picture of the reader's own. */
import { transform } from 'esbuild';
import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { PRESETS } from '../src/model/presets.js';
import { DEMO, ROOT } from './cli/command.js';
import { readersFolder } from './readers-folder.js';

/** The Node that runs the tests, and the lowest that package.json promises, where LOWEST_NODE says that there is one. */
const NODES = [process.execPath, process.env['LOWEST_NODE'] ?? []].flat();

const ARGS = [join(ROOT, DEMO), join(ROOT, DEMO, 'pictures/shape-00.png')];

/** By the entry that they import, what they print. */
const PRINTED: readonly (readonly [string, RegExp])[] = [
  ['blip2-device-map', /^a small red ring above a small red circle on a white background\n$/],
  ['blip2-device-map/planner', new RegExp(`^${[...PRESETS.keys()].map((name) => `${name} \\d+ ms\n`).join('')}$`)],
  ['blip2-device-map/loader', /^F32 \[ 160, 96 \] Float32Array\(15360\) \[/],
];

const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
const snippets = [...readme.matchAll(/^```(?:js|ts|mjs)\n(.*?)^```/gms)].map(([, code = '']) => {
  const [, entry = ''] = /^import .* from '(.*)';$/m.exec(code) ?? [];
  return { entry, code };
});

let folder: string;
beforeAll(async () => {
  folder = await readersFolder();
});
afterAll(() => rm(folder, { recursive: true }));

it('shows what is run here', () => {
  expect(snippets.map(({ entry }) => entry)).toEqual(PRINTED.map(([entry]) => entry));
});

describe.each(snippets)('$entry', ({ entry, code }) => {
  it('is written in the language of the lowest Node that package.json promises', async () => {
    const { engines } = z
      .object({ engines: z.object({ node: z.string() }) })
      .parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
    const target = `node${engines.node.replace('>=', '')}`;
    const inNewest = await transform(code, { target: 'esnext', format: 'esm' });
    expect((await transform(code, { target, format: 'esm' })).code).toBe(inNewest.code);
  });

  it.each(NODES)('runs in %s', async (node) => {
    const file = join(folder, `${entry.replaceAll('/', '-')}.mjs`);
    await writeFile(file, code);
    const { stdout, stderr } = await promisify(execFile)(node, [file, ...ARGS]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(PRINTED.find(([name]) => name === entry)?.[1] ?? /$^/);
  });
});

/** How the code gets at the environment; where it does so otherwise, this test has to learn of it. */
const READS = [
  /process\.env\['(?<name>[A-Z0-9_]+)'\](?! = )/g,
  /process\.env\[(?<constant>[A-Z_]+)\]/g,
  /\{ (?<names>[A-Z0-9_, ]+) \} = process\.env/g,
  // Set for another process, unless it is there already.
  /\{\s*(?<names>[A-Z0-9_,\s]+),\s*\.\.\.process\.env/g,
];
const WRITE = /process\.env\['[A-Z0-9_]+'\] = /g;
/** The hub's variables have readers of their own in a file that is handed the environment whole. */
const HANDED = /env: NodeJS\.ProcessEnv = process\.env/g;
const HUB_READ = /\b(?:variable|place)\('(?<name>[A-Z0-9_]+)'\)/g;

it('has a table of exactly the environment variables that are read', async () => {
  const read = new Set<string>();
  for (const file of (await Promise.all(['src', 'cli'].map(sourcesOf))).flat()) {
    const code = (await readFile(file, 'utf8')).replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
    const found = READS.flatMap((pattern) => [...code.matchAll(pattern)]);
    const handed = [...code.matchAll(HANDED)];
    const known = found.length + handed.length + [...code.matchAll(WRITE)].length;
    expect(known, file).toBe(code.split('process.env').length - 1);
    for (const { groups = {} } of [...found, ...(handed.length > 0 ? code.matchAll(HUB_READ) : [])]) {
      const value = new RegExp(`const ${groups['constant']} = '(\\w+)'`).exec(code)?.[1];
      for (const name of (groups['name'] ?? groups['names'] ?? value ?? 'unknown').split(/,\s*/)) read.add(name);
    }
  }
  const table = /^\| variable .*\n\|[ |-]+\n((?:\|.*\n)+)/m.exec(readme)?.[1] ?? '';
  const named = table.split('\n').flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`(\w+)`/g)]);
  expect(named.map(([, name = '']) => name).toSorted()).toEqual([...read].toSorted());
});

it('has a table of files that are looked for, none of which the code has forgotten', async () => {
  const code = (
    await Promise.all((await Promise.all(['src', 'cli'].map(sourcesOf))).flat().map((file) => readFile(file, 'utf8')))
  ).join('\n');
  const table = /^\| where .*\n\|[ |-]+\n((?:\|.*\n)+)/m.exec(readme)?.[1] ?? '';
  const files = [...table.matchAll(/`([\w.-]+\.json|\.blip2-run)`/g)].map(([, name = '']) => name);
  expect(files).toHaveLength(10);
  for (const file of files) expect(code, file).toMatch(new RegExp(`['}]${file.replaceAll('.', '\\.')}['\`]`));
});

async function sourcesOf(top: string): Promise<string[]> {
  const names = await readdir(join(ROOT, top), { recursive: true });
  return names
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => join(ROOT, top, name));
}
