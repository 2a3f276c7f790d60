/**
 * Compiles every `*-kernels.as.ts` below src (AssemblyScript) into the `*.wasm.ts` beside it, a module as text: who installs
 * the package needs neither the compiler nor a file that a bundler would have to find.
 *
 *   npm run kernels            after a change of a kernel
 *   npm run kernels -- --check compares only
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createMemoryStream, main } from 'assemblyscript/asc';

const SOURCE = /-kernels\.as\.ts$/;
/** Nothing is allocated, nothing thrown: the modules import their memory and nothing else. */
const OPTIONS = ['-O3', '--enable', 'simd', '--runtime', 'stub', '--use', 'abort=', '--importMemory', '--noColors'];

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const root = fileURLToPath(new URL('../src', import.meta.url));
for (const name of await readdir(root, { recursive: true })) {
  if (!SOURCE.test(name)) continue;
  const source = join(root, name);
  const target = source.replace(/as\.ts$/, 'wasm.ts');
  const text = moduleText(basename(source), await compile(source));
  if (!values.check) await writeFile(target, text);
  else if ((await readFile(target, 'utf8')) !== text) throw new Error(`${target} is not what ${source} compiles to`);
}

async function compile(path) {
  let binary;
  const host = {
    readFile: (name) => readFile(name, 'utf8').catch(() => null),
    writeFile: (_, bytes) => (binary = bytes),
  };
  const stderr = createMemoryStream();
  const { error } = await main([path, '--outFile', 'kernels.wasm', ...OPTIONS], { ...host, stderr });
  if (error !== null) throw new Error(`${error.message}\n${stderr.toString()}`);
  return binary;
}

function moduleText(name, bytes) {
  const base64 = Buffer.from(bytes).toString('base64');
  return `/** WebAssembly, base64: what scripts/build-kernels.mjs makes of ${name}. */\nexport default '${base64}';\n`;
}
