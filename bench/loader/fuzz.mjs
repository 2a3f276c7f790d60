/**
 * Mutated headers through this loader and through the reference reader: node bench/loader/fuzz.mjs <seconds> [seed]
 *
 * Ends with exit code 1 at the first file that crashes the loader, takes it longer than a second, is accepted here and
 * refused there, or is refused under another name without being one of the intended differences. Mutated indexes go
 * through the loader alone. Needs Python with safetensors: PYTHON=path (default python3). Build first.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseIndex } from '../../dist/src/loader/checkpoint/parse-index.js';
import { readHeader } from '../../dist/src/loader/format/read-header.js';
import { SafetensorsError } from '../../dist/src/loader/format/safetensors-error.js';

const seconds = Number(process.argv[2] ?? 60);
let state = Number(process.argv[3] ?? Date.now() % 2 ** 31) >>> 0;
const seed = state;

/** xorshift32: the same files for the same seed. */
function random(below) {
  state ^= state << 13;
  state ^= state >>> 17;
  state = (state ^ (state << 5)) >>> 0;
  return state % below;
}
const pick = (list) => list[random(list.length)];

const DTYPES = { U8: 1, F32: 4, BF16: 2, I64: 8, F8_E4M3: 1, BOOL: 1 };
const NAMES = ['a', 'b', 'weight', '', '__proto__', 'é', '😀', 'x.y.0', '7', '1'];
// Pieces of headers, right and wrong, that a mutation puts in.
const SNIPPETS = [
  '"', '\\', '\\u0061', '\\ud800', '\\ud83d\\ude00', '{', '}', '[', ']', ',', ':', ' ', '\n', '\0', '\ufeff', '0', '1', '-1', '-0', '2.0', '1e3', '01',
  '18446744073709551615', '18446744073709551616', '9007199254740993', '9223372036854775807', 'null', 'true', 'NaN', '"__metadata__":{"format":"pt"},',
  '"__metadata__":null,', '"dtype":"F32"', '"shape":[]', '"shape":[0]', '"data_offsets":[0,0]', '"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},',
  '[[[[[[[[[[', '{"a":{"a":{"a":', '/**/', "'", '\u00a0', '\t', '"F4"', '"F6_E2M3"', '"C64"', '1e999', '"x":1.5e-3,',
]; // prettier-ignore

function validFile() {
  let end = 0;
  const entries = [];
  if (random(3) === 0) entries.push(`"__metadata__":{"format":"pt"}`);
  for (let i = random(5); i > 0; i--) {
    const dtype = pick(Object.keys(DTYPES));
    const shape = Array.from({ length: random(3) }, () => random(4));
    const begin = end;
    end += shape.reduce((product, dim) => product * dim, DTYPES[dtype]);
    entries.push(`${JSON.stringify(pick(NAMES) + i)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  return { json: `{${entries.join(',')}}`, dataBytes: end };
}

function mutateText(text) {
  const at = random(text.length + 1);
  switch (random(6)) {
    case 0:
      return text.slice(0, at) + pick(SNIPPETS) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + random(3));
    case 2:
      return text.slice(0, at) + String.fromCharCode(random(128)) + text.slice(at + 1);
    case 3: {
      const other = random(text.length + 1);
      return text.slice(0, at) + text.slice(Math.min(at, other), Math.max(at, other)) + text.slice(at);
    }
    case 4:
      return text.replace(/\d+/g, (digits) =>
        random(4) === 0 ? pick(['0', '1', '8', '-1', '1.0', '4294967296', digits + '0']) : digits,
      );
    default:
      return text.slice(0, at) + pick(SNIPPETS) + text.slice(at + random(12));
  }
}

function mutatedFile() {
  const { json, dataBytes } = validFile();
  let text = json;
  for (let i = random(4); i > 0; i--) text = mutateText(text);
  const header = Buffer.from(text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const data = Buffer.alloc(Math.max(0, dataBytes + (random(6) === 0 ? random(5) - 2 : 0)), 1);
  const file = Buffer.concat([length, header, data]);
  if (random(5) === 0) for (let i = 1 + random(3); i > 0; i--) file[random(file.length)] = random(256);
  return random(12) === 0 ? file.subarray(0, random(file.length + 1)) : file;
}

async function ourVerdict(bytes) {
  const source = {
    name: 'fuzz',
    path: '/fuzz',
    sizeBytes: bytes.length,
    read: async (begin, end) => bytes.subarray(begin, end),
  };
  try {
    await readHeader(source);
    return { code: 'ok' };
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    return { code: error.code, message: error.message };
  }
}

/** Where this loader is stricter on purpose, or more precise. */
function intended(ours, reference) {
  if (reference === 'ok') {
    const arrayOrObject =
      ours.code === 'INVALID_HEADER_DESERIALIZATION' &&
      /expected an object, found array|dtype: expected a string, found object/.test(ours.message);
    return ours.code === 'DUPLICATE_KEY' || ours.code === 'UNSAFE_INTEGER' || arrayOrObject;
  }
  return ours.code === 'NOT_SAFETENSORS' || ours.code === 'DUPLICATE_KEY';
}

const python = spawn(process.env.PYTHON ?? 'python3', [new URL('reference_verdicts.py', import.meta.url).pathname], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();

async function referenceVerdict(bytes) {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  python.stdin.write(Buffer.concat([length, bytes]));
  const { value } = await answers.next();
  // The reference's names in the spelling of our codes.
  return value === 'ok' ? value : value.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}

function stop(bytes, why) {
  writeFileSync('fuzz-failure.safetensors', bytes);
  console.log(`${why}\nsaved as fuzz-failure.safetensors; seed ${seed}`);
  process.exit(1);
}

const counts = new Map();
const startMs = performance.now();
let files = 0;
while (performance.now() - startMs < seconds * 1000) {
  const bytes = mutatedFile();
  const beforeMs = performance.now();
  const ours = await ourVerdict(bytes).catch((error) => stop(bytes, `crash: ${error.stack}`));
  if (performance.now() - beforeMs > 1000) stop(bytes, 'took longer than a second');
  const reference = await referenceVerdict(bytes);
  if (ours.code !== reference && !intended(ours, reference)) {
    const kind = ours.code === 'ok' ? 'accepted here, refused there' : 'another verdict';
    // Which of several faults is named first differs where the two walk a file in another order.
    if (ours.code === 'ok' || reference === 'ok')
      stop(bytes, `${kind}: ${ours.code} (${ours.message}) here, ${reference} there`);
  }
  const key = ours.code === reference ? `both: ${ours.code}` : `${ours.code} here, ${reference} there`;
  counts.set(key, (counts.get(key) ?? 0) + 1);
  try {
    parseIndex(
      mutateText(
        mutateText(
          '{"metadata":{"total_size":12},"weight_map":{"a":"x-00001-of-00002.safetensors","b":"x.safetensors"}}',
        ),
      ),
      'fuzz',
    );
  } catch (error) {
    if (!(error instanceof SafetensorsError)) stop(bytes, `index: ${error.stack}`);
  }
  files++;
}
python.stdin.end();
console.log(
  `${files} files and as many indexes in ${seconds} s, seed ${seed}: no crash, no hang, nothing accepted that the reference refuses`,
);
for (const [key, count] of [...counts].sort((a, b) => b[1] - a[1])) console.log(`${String(count).padStart(8)}  ${key}`);
