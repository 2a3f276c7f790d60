/**
 * Makes each command one file: Node takes about half a millisecond per module to find, read and link, and a command with
 * its libraries has over two hundred of them.
 *
 * The files are CommonJS, where what a dynamic import() asks for, native libraries above all, stays unread until then. The
 * library's own modules beside them serve as what `import.meta.url` points at: its threads and processes start there.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const COMMANDS = ['blip2-plan', 'blip2-run', 'blip2-shard'];
/** Of the packages that users install, the one that goes into the bundles; those that only develop this one go in, too. */
const BUNDLED = 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'dist/cli');

/** What `import.meta.url` becomes in a bundle: `bundledUrl` of a path that counts from the bundle's folder. */
const banner =
  "const bundleUrl = require('node:url').pathToFileURL(__filename); const bundledUrl = (path) => new URL(path, bundleUrl).href;";

/** A module of ours keeps the address that it has without the bundle; a library that goes in has the bundle's. */
const ownAddress = {
  name: 'own-address',
  setup({ onLoad }) {
    onLoad({ filter: /\.m?[jt]s$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (!text.includes('import.meta.url')) return undefined;
      const built = path.includes('node_modules')
        ? out
        : join(root, 'dist', relative(root, path)).replace(/\.ts$/, '.js');
      const address = `bundledUrl(${JSON.stringify(relative(out, built).replaceAll('\\', '/'))})`;
      return {
        contents: text.replaceAll('import.meta.url', address),
        loader: path.endsWith('ts') ? 'ts' : 'js',
      };
    });
  },
};

const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: COMMANDS.map((name) => join(root, `cli/${name}.ts`)),
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  outdir: out,
  minifySyntax: true,
  banner: { js: banner },
  alias: { 'string-width': join(root, 'scripts/plain-width.mjs') },
  external: Object.keys(dependencies).filter((name) => name !== BUNDLED),
  plugins: [ownAddress],
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
