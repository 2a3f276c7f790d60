/**
 * Makes each command one file: Node takes about half a millisecond per module to find, read and link, and a command with
 * its libraries has over two hundred of them.
 *
 * The files are CommonJS, where what a dynamic import() asks for, native libraries above all, stays unread until then. The
 * processes and threads that commands start are files of the same folder: there `import.meta.url` points.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ENTRIES = [
  'cli/blip2-plan.ts',
  'cli/blip2-run.ts',
  'cli/blip2-shard.ts',
  'src/loader/write/shard-thread.ts',
  'src/runtime/calibrate/blink-process.ts',
  'src/runtime/image/pixel-thread.ts',
  'src/runtime/process/model-host.ts',
  'src/runtime/provider/ort/run-thread-worker.ts',
];
/** Of the packages that users install, those that go into the bundles; the ones that only develop this one go in, too. */
const BUNDLED = ['@bufbuild/protobuf', 'zod'];

/** The folder of the package that a file belongs to. */
const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/;

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'dist/cli');

const { dependencies, peerDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
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
  external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => !BUNDLED.includes(name)),
  metafile: true,
});
await writeFile(join(out, 'package.json'), '{ "type": "commonjs" }\n');
await writeFile(join(out, 'LICENSES.txt'), await licences(Object.keys(metafile.inputs)));

/** The licences of the packages whose files went into the bundles. */
async function licences(inputs) {
  const folders = new Set(inputs.flatMap((path) => PACKAGE.exec(path)?.[0] ?? []));
  const texts = new Map();
  for (const folder of [...folders].sort((a, b) => a.localeCompare(b))) {
    const files = inputs.filter((path) => path.startsWith(`${folder}/`));
    const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
    texts.set(`${name} ${version} (${license})`, (await licenceFile(folder)) ?? (await notices(folder, files)));
  }
  return [...texts].map(([title, text]) => `${title}\n\n${text.trim()}\n`).join(`\n${'-'.repeat(80)}\n\n`);
}

async function licenceFile(folder) {
  for (const name of ['LICENSE', 'LICENSE.txt', 'LICENSE.md', 'license']) {
    const text = await readFile(join(root, folder, name), 'utf8').catch(() => null);
    if (text !== null) return text;
  }
  return null;
}

/** Of a package without a licence file: what its files state on top, once each. */
async function notices(folder, files) {
  const found = new Set();
  for (const file of files) {
    const [top] = /^(?:\/\/.*\n)*/.exec(await readFile(join(root, file), 'utf8')) ?? [];
    if (top?.includes('Copyright')) found.add(top.replaceAll(/^\/\/ ?/gm, ''));
  }
  if (found.size === 0) throw new Error(`${folder} states no licence`);
  return [...found].join('\n');
}
