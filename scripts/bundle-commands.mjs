/**
 * Makes each command one file, or two where some of it runs before the rest is read: Node takes about half a millisecond per
 * module to find, read and link, and a command with its libraries has over two hundred of them.
 *
 * The files are CommonJS, where what a dynamic import() asks for, native libraries above all, stays unread until then. The
 * processes and threads that commands start are files of the same folder: there `import.meta.url` points.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { licences } from './licences.mjs';

const ENTRIES = [
  'cli/blip2-plan.ts',
  'cli/blip2-run.ts',
  'cli/run-command.ts',
  'cli/run/driver-early.ts',
  'cli/blip2-shard.ts',
  'src/bulk/queue/lock-renewal-thread.ts',
  'src/loader/write/shard-thread.ts',
  'src/runtime/calibrate/blink-process.ts',
  'src/runtime/image/pixel-thread.ts',
  'src/runtime/captioner/process/model-host.ts',
  'src/runtime/device/memory/driver-thread-worker.ts',
  'src/runtime/device/thread/run-thread-worker.ts',
];
/** Of the packages that users install, those that go into the bundles; the ones that only develop this one go in, too. */
const BUNDLED = ['@bufbuild/protobuf', 'zod'];

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
await writeFile(join(out, 'LICENSES.txt'), await licences(root, Object.keys(metafile.inputs)));
