/**
 * Compiles every `*-kernels.as.ts` below src (AssemblyScript) into the `*.wasm.ts` beside it, and every `*-kernels.cu` (CUDA) into the
 * `*.ptx.ts`, modules as text: who installs the package needs neither a compiler nor a file that a bundler would have to find.
 *
 *   npm run kernels                      after a change of a kernel
 *   npm run kernels -- --nvrtc LIBRARY   of one for CUDA: `libnvrtc.so.11.2` of PyPI's nvidia-cuda-nvrtc-cu11 11.8.89
 *   npm run kernels -- --check           compares only; what is CUDA by its source's hash, where no compiler is named
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { createMemoryStream, main } from 'assemblyscript/asc';
import koffi from 'koffi';

const SOURCE = /-kernels\.as\.ts$/;
/** Nothing is allocated, nothing thrown: the modules import their memory and nothing else. */
const OPTIONS = ['-O3', '--enable', 'simd', '--runtime', 'stub', '--use', 'abort=', '--importMemory', '--noColors'];

/** PTX of CUDA 11.8, which drivers from 520 on read, for cards from Ampere on. */
const CUDA_OPTIONS = ['--gpu-architecture=compute_80', '--std=c++14'];

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, nvrtc: { type: 'string' } } });
const root = fileURLToPath(new URL('../src', import.meta.url));
for (const name of await readdir(root, { recursive: true })) {
  if (!SOURCE.test(name)) continue;
  const source = join(root, name);
  const target = source.replace(/as\.ts$/, 'wasm.ts');
  const text = moduleText(basename(source), await compile(source));
  if (!values.check) await writeFile(target, text);
  else if ((await readFile(target, 'utf8')) !== text) throw new Error(`${target} is not what ${source} compiles to`);
}
for (const name of await readdir(root, { recursive: true })) {
  if (!name.endsWith('-kernels.cu')) continue;
  const source = join(root, name);
  const target = source.replace(/cu$/, 'ptx.ts');
  const text = await included(source);
  const hash = createHash('sha256').update(text).update(CUDA_OPTIONS.join(' ')).digest('hex');
  const known = await readFile(target, 'utf8').catch(() => '');
  if (values.nvrtc === undefined) {
    if (!known.includes(hash)) throw new Error(`${target} is not of today's ${source}: --nvrtc names the compiler`);
    continue;
  }
  const made = ptxText(basename(source), hash, compileCuda(values.nvrtc, text));
  if (!values.check) await writeFile(target, made);
  else if (known !== made) throw new Error(`${target} is not what ${source} compiles to`);
}

/** A file with what it includes in the place of that. */
async function included(path) {
  const text = await readFile(path, 'utf8');
  const parts = await Promise.all(
    text.split('\n').map(async (line) => {
      const [, name] = /^#include "(.+)"$/.exec(line) ?? [];
      return name === undefined ? line : (await readFile(join(dirname(path), name), 'utf8')).trimEnd();
    }),
  );
  return parts.join('\n');
}

function compileCuda(library, source) {
  const nvrtc = koffi.load(library);
  const call = (name, parameters, ...args) => {
    const code = nvrtc.func(`int ${name}(${parameters})`)(...args);
    if (code !== 0 && name !== 'nvrtcCompileProgram') throw new Error(`${name} answered ${code}`);
    return code;
  };
  const program = [null];
  call('nvrtcCreateProgram', '_Out_ void**, str, str, int, void*, void*', program, source, 'kernels.cu', 0, null, null);
  const text = (sizeOf, read) => {
    const size = [0];
    call(sizeOf, 'void*, _Out_ size_t*', program[0], size);
    const bytes = Buffer.alloc(size[0]);
    call(read, 'void*, void*', program[0], bytes);
    return bytes.subarray(0, -1).toString('utf8');
  };
  const failed = call('nvrtcCompileProgram', 'void*, int, str*', program[0], CUDA_OPTIONS.length, CUDA_OPTIONS) !== 0;
  if (failed) throw new Error(text('nvrtcGetProgramLogSize', 'nvrtcGetProgramLog'));
  return text('nvrtcGetPTXSize', 'nvrtcGetPTX');
}

function ptxText(name, hash, ptx) {
  const lean = ptx.replaceAll(/^\s*(\/\/.*)?\n/gm, '').replaceAll(/^[\t ]+/gm, '');
  const base64 = gzipSync(lean, { level: 9 }).toString('base64');
  const source = `scripts/build-kernels.mjs makes of ${name} and what it includes (sha256 ${hash})`;
  return `/** PTX, compressed, base64: what ${source}. */\nexport default '${base64}';\n`;
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
