/**
 * The page as one file that works from `file:`: script and style are inside, the script as text that workers start from too.
 * What the first load can do without are scripts beside it.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateSync } from 'node:zlib';
import { build } from 'esbuild';
import { defineConfig, type Plugin } from 'vite';
import { licences } from '../scripts/licences.mjs';

const root = fileURLToPath(new URL('.', import.meta.url));
const repository = fileURLToPath(new URL('..', import.meta.url));

export default defineConfig({
  root,
  base: './',
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: ['chrome111', 'firefox113', 'safari16.4'],
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    rolldownOptions: { output: { format: 'iife' } },
  },
  plugins: [oneFile(), lazyAssets()],
});

/** Puts the script and the style into the page, and lets the page run nothing else. */
function oneFile(): Plugin {
  return {
    name: 'one-file',
    enforce: 'post',
    async generateBundle(_, bundle) {
      const files = Object.values(bundle);
      const html = files.find(({ fileName }) => fileName === 'index.html');
      const script = files.find((file) => file.type === 'chunk');
      const style = files.find(({ fileName }) => fileName.endsWith('.css'));
      if (html?.type !== 'asset' || script?.type !== 'chunk' || style?.type !== 'asset') {
        throw new Error(`not one page, script and style: ${files.map(({ fileName }) => fileName).join(', ')}`);
      }
      // Ends the element early, wherever in the script it stands.
      const code = script.code.replaceAll('</script', String.raw`<\/script`).trim();
      const css = String(style.source).trim();
      const policy = [
        "default-src 'none'",
        `script-src '${hash(code)}' 'self' file: blob: 'wasm-unsafe-eval'`,
        `style-src '${hash(css)}' 'unsafe-inline'`,
        'worker-src blob:',
        'connect-src http: https: blob:',
        'img-src data:',
        "base-uri 'none'",
        "form-action 'none'",
      ].join('; ');
      html.source = String(html.source)
        .replace(/<script type="module"[^>]*><\/script>\s*/, '')
        .replace(/<link rel="stylesheet"[^>]*>\s*/, '')
        .replace(
          '<meta charset="utf-8" />',
          () => `<meta charset="utf-8" />\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`,
        )
        .replace('</head>', () => `<style>${css}</style>\n  </head>`)
        .replace('</body>', () => `<script id="script">${code}</script>\n  </body>`);
      const modules = [...Object.keys(script.modules), createRequire(import.meta.url).resolve('highs/runtime')];
      const paths = modules.filter((path) => path.includes('node_modules')).map((path) => relative(repository, path));
      this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: await licences(repository, paths) });
      delete bundle[script.fileName];
      delete bundle[style.fileName];
    },
  };
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/** `models.js` and `highs.js`: see `src/assets/lazy-asset.ts`. */
function lazyAssets(): Plugin {
  return {
    name: 'lazy-assets',
    async generateBundle() {
      const table = await bundled('../src/planner/models/model-table.ts', { format: 'esm' });
      const { default: text }: { default: string } = await import(
        `data:text/javascript;base64,${Buffer.from(table).toString('base64')}`
      );
      const wasm = readFileSync(createRequire(import.meta.url).resolve('highs/runtime'));
      const highs = await bundled('../src/highs/index.ts', { format: 'iife', globalName: 'blip2Highs' });
      this.emitFile({
        type: 'asset',
        fileName: 'models.js',
        source: delivery('models', { table: text }),
      });
      this.emitFile({ type: 'asset', fileName: 'highs.js', source: delivery('highs', { script: highs, wasm }) });
    },
  };
}

async function bundled(path: string, options: { format: 'esm' | 'iife'; globalName?: string }): Promise<string> {
  const { outputFiles } = await build({
    ...options,
    entryPoints: [fileURLToPath(new URL(path, import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    external: ['node:module'],
    logLevel: 'error',
    define: { 'import.meta.url': '"file:///"' },
  });
  return outputFiles[0]?.text ?? '';
}

function delivery(name: string, parts: Readonly<Record<string, string | Uint8Array>>): string {
  const deflated = Object.entries(parts).map(([part, bytes]) => [
    part,
    deflateSync(bytes, { level: 9 }).toString('base64'),
  ]);
  return `deliverAsset(${JSON.stringify(name)},${JSON.stringify(Object.fromEntries(deflated))});\n`;
}
