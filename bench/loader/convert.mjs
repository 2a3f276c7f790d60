/**
 * Conversion and quantisation in memory, one thread, beside a copy of the float32 that they are of, and beside plain JavaScript
 * that makes the same bytes:
 *
 *   npm run build && node bench/loader/convert.mjs [--beside OTHER/dist]
 *
 * CPU time, medians of rounds in which everything takes its turn; with `--beside` also another build of this package.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';

const VALUES = 1 << 22;
const ROUNDS = 31;
/** Buffers whose addresses differ in their last 12 bits; see `kernel-memory.ts`. */
const SKEW_BYTES = 2048;

const { values: flags } = parseArgs({ options: { beside: { type: 'string' } } });

/** The runs of one build, by name; `out` is what each makes. */
async function runsOf(dist) {
  const load = (name) => import(pathToFileURL(join(dist, 'src/loader/convert', `${name}.js`)));
  const { convertFloatsIn } = await load('convert-floats');
  const { quantizeFloats } = await load('quantize-floats');
  const { KernelMemory } = await load('kernel-memory');
  const memory = new KernelMemory(10 * VALUES + 2 * SKEW_BYTES);
  const float32 = memory.room.subarray(0, 4 * VALUES);
  const half = memory.room.subarray(4 * VALUES + SKEW_BYTES, 6 * VALUES + SKEW_BYTES);
  const other = memory.room.subarray(6 * VALUES + 2 * SKEW_BYTES);
  const weights = new Float32Array(float32.buffer, float32.byteOffset, VALUES);
  weights.forEach((_, i) => (weights[i] = 0.05 * Math.sin(i)));
  const outside = new Uint8Array(2 * VALUES);
  const [integers, scales] = [new Uint8Array(VALUES), new Uint8Array(VALUES / 16)];
  const converts = (source, from, target, to) => ({
    out: target,
    run: () => convertFloatsIn(memory, source, from, target, to),
  });
  const quantizes = (source, from, scheme) => ({
    out: integers,
    run: () => quantizeFloats(memory, source, from, scheme, integers, scales),
  });
  return {
    copy: { out: other, run: () => other.set(float32) },
    'float32 to bfloat16': converts(float32, 'F32', half, 'BF16'),
    'bfloat16 to float32': converts(half, 'BF16', other, 'F32'),
    'float32 to float16': converts(float32, 'F32', half, 'F16'),
    'float16 to float32': converts(half, 'F16', other, 'F32'),
    'float32 to float16, out of its memory': converts(float32, 'F32', outside, 'F16'),
    'float32 to int8': quantizes(float32, 'F32', 'int8'),
    'float16 to int8': quantizes(half, 'F16', 'int8'),
    'float32 to int4': quantizes(float32, 'F32', 'int4'),
    'float16 to int4': quantizes(half, 'F16', 'int4'),
  };
}

/** The same in plain JavaScript, as fast as it was made to be. */
function plainRuns() {
  const weights = Float32Array.from({ length: VALUES }, (_, i) => 0.05 * Math.sin(i));
  const bits = new Uint32Array(weights.buffer);
  const half = new Uint16Array(VALUES);
  const other = new Uint32Array(VALUES);
  const integers = new Uint8Array(VALUES);
  const one = new Float32Array(1);
  const oneBits = new Uint32Array(one.buffer);
  const table = Uint32Array.from({ length: 65_536 }, (_, code) => {
    const [exponent, mantissa] = [(code >> 10) & 31, code & 1023];
    one[0] = exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15);
    if (exponent === 31) oneBits[0] = 0x7f80_0000 | (mantissa << 13) | (mantissa === 0 ? 0 : 0x40_0000);
    return (oneBits[0] | ((code & 0x8000) << 16)) >>> 0;
  });
  const toHalf = (value) => {
    const magnitude = value & 0x7fff_ffff;
    const sign = (value >>> 16) & 0x8000;
    if (magnitude > 0x7f80_0000) return sign | 0x7e00 | ((value >>> 13) & 0x3ff);
    if (magnitude >= 0x4780_0000) return sign | 0x7c00;
    if (magnitude >= 0x3880_0000) return sign | ((magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    oneBits[0] = magnitude;
    one[0] += 0.5;
    return sign | (oneBits[0] - 0x3f00_0000);
  };
  const bytes = ({ buffer }) => new Uint8Array(buffer);
  return {
    'float32 to bfloat16': {
      out: bytes(half),
      run() {
        for (let i = 0; i < VALUES; i++) {
          const value = bits[i];
          half[i] = (value & 0x7fff_ffff) > 0x7f80_0000 ? 0xffff : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16;
        }
      },
    },
    'bfloat16 to float32': {
      out: bytes(other),
      run() {
        for (let i = 0; i < VALUES; i++) other[i] = half[i] << 16;
      },
    },
    'float32 to float16': {
      out: bytes(half),
      run() {
        for (let i = 0; i < VALUES; i++) half[i] = toHalf(bits[i]);
      },
    },
    'float16 to float32': {
      out: bytes(other),
      run() {
        for (let i = 0; i < VALUES; i++) other[i] = table[half[i]];
      },
    },
    'float32 to int8': {
      out: integers,
      run() {
        for (let begin = 0; begin < VALUES; begin += 32) {
          let largest = 0;
          for (let i = begin; i < begin + 32; i++) largest = Math.max(largest, Math.abs(weights[i]));
          one[0] = Math.fround(largest / 127);
          oneBits[0] = table[toHalf(oneBits[0])];
          const factor = one[0] === 0 ? 0 : Math.fround(1 / one[0]);
          for (let i = begin; i < begin + 32; i++) {
            const rounded = Math.fround(Math.fround(weights[i] * factor) + 12_582_912) - 12_582_912;
            integers[i] = Math.min(127, rounded) + 128;
          }
        }
      },
    },
  };
}

const builds = { kernels: await runsOf(fileURLToPath(new URL('../../dist', import.meta.url))), plain: plainRuns() };
if (flags.beside !== undefined) builds.beside = await runsOf(flags.beside);

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const times = new Map();
for (let round = 0; round < ROUNDS; round++) {
  for (const name of Object.keys(builds.kernels)) {
    for (const [build, runs] of Object.entries(builds)) {
      if (runs[name] === undefined) continue;
      const began = process.cpuUsage();
      runs[name].run();
      const { user, system } = process.cpuUsage(began);
      const key = `${build} ${name}`;
      times.set(key, [...(times.get(key) ?? []), (user + system) / 1000]);
      if (round > 0 || build === 'kernels') continue;
      if (Buffer.compare(runs[name].out, builds.kernels[name].out) !== 0) throw new Error(`${key}: other bytes`);
    }
  }
}
const ms = (build, name) => median(times.get(`${build} ${name}`));
const copyMs = ms('kernels', 'copy');
console.log(
  `${VALUES} values, Node ${process.versions.node}; a copy of their float32 takes ${copyMs.toFixed(2)} ms of CPU`,
);
for (const name of Object.keys(builds.kernels)) {
  const own = ms('kernels', name);
  const others = Object.keys(builds).filter((build) => build !== 'kernels' && times.has(`${build} ${name}`));
  const ratios = others.map((build) => `${build} ${(ms(build, name) / own).toFixed(2)} x`);
  console.log([`${name}: ${own.toFixed(2)} ms`, `${(own / copyMs).toFixed(2)} x the copy`, ...ratios].join(', '));
}
