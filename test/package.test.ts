/** What a stranger gets: the packed files, and the licences of all that comes with them. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { ROOT } from './cli/command.js';

const packageJson = z.object({
  bin: z.record(z.string(), z.string()),
  exports: z.record(z.string(), z.union([z.string(), z.object({ types: z.string(), default: z.string() })])),
});
const packedJson = z.tuple([z.object({ files: z.array(z.object({ path: z.string() })) })]);
const lockJson = z.object({
  packages: z.record(z.string(), z.object({ dev: z.boolean().optional(), license: z.string().optional() })),
});

const read = async (file: string): Promise<unknown> => JSON.parse(await readFile(join(ROOT, file), 'utf8'));

describe('the package', () => {
  it('holds what its entries and commands need, and neither tests nor sources', async () => {
    const { stdout, stderr } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: ROOT,
    });
    // Of settings in .npmrc, say, that a newer npm does not know.
    expect(stderr).not.toContain('warn');
    const files = packedJson.parse(JSON.parse(stdout))[0].files.map(({ path }) => path);
    const { bin, exports } = packageJson.parse(await read('package.json'));
    const entries = Object.values(exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    );
    const named = [...Object.values(bin), ...entries].map((path) => path.replace(/^\.\//, ''));
    expect(files).toEqual(expect.arrayContaining([...named, 'dist/cli/model-host.js', 'dist/cli/LICENSES.txt']));
    expect(
      files.filter((path) => !/^(dist\/.*(\.js|\.html|\.d\.ts|\.txt|\.json)|schema\/.*|[^/]*)$/.test(path)),
    ).toEqual([]);
    expect(files.filter((path) => /\.test\.|^src\//.test(path))).toEqual([]);
  });

  it('comes with packages whose licences README.md names', async () => {
    const { packages } = lockJson.parse(await read('package-lock.json'));
    const installed = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
    const licences = new Set(
      installed.flatMap(([path, { license = `of ${path}` }]) => license.replaceAll(/[()]/g, '').split(/ AND | OR /)),
    );
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const section = /^## Licence$(.*)/ms.exec(readme)?.[1] ?? '';
    expect([...licences].filter((licence) => !section.includes(licence))).toEqual([]);
    expect(licences.has('LGPL-3.0-or-later')).toBe(true);
  });
});
