/**
 * Makes each command one file: Node takes about half a millisecond per module to find, read and link, and a command with
 * its libraries has over two hundred of them.
 *
 * The files are CommonJS, where what a dynamic import() asks for, native libraries above all, stays unread until then. The
 * processes and threads that commands start are files of the same folder: there `import.meta.url` points.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ENTRIES = [
  'cli/blip2-plan.ts',
  'cli/blip2-run.ts',
  'cli/blip2-shard.ts',
  'src/loader/write/shard-thread.ts',
  'src/runtime/process/model-host.ts',
];
/** Of the packages that users install, the one that goes into the bundles; those that only develop this one go in, too. */
const BUNDLED = 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'dist/cli');

const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ENTRIES.map((path) => join(root, path)),
  entryNames: '[name]',
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  outdir: out,
  minifySyntax: true,
  banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
  define: { 'import.meta.url': 'bundleUrl' },
  alias: { 'string-width': join(root, 'scripts/plain-width.mjs') },
  external: Object.keys(dependencies).filter((name) => name !== BUNDLED),
  metafile: true,
});
await writeFile(join(out, 'package.json'), '{ "type": "commonjs" }\n');
await writeFile(join(out, 'LICENSES.txt'), await licences(Object.keys(metafile.inputs)));

/** The licences of the packages whose files went into the bundles. */
async function licences(inputs) {
  const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  const texts = new Map();
  for (const folder of [...folders].sort((a, b) => a.localeCompare(b))) {
    const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
    texts.set(`${name} ${version} (${license})`, await licenceText(folder));
  }
  return [...texts].map(([title, text]) => `${title}\n\n${text.trim()}\n`).join(`\n${'-'.repeat(80)}\n\n`);
}

async function licenceText(folder) {
  for (const name of ['LICENSE', 'LICENSE.txt', 'LICENSE.md', 'license']) {
    const text = await readFile(join(root, folder, name), 'utf8').catch(() => null);
    if (text !== null) return text;
  }
  throw new Error(`${relative(dirname(root), join(root, folder))} states no licence`);
}
