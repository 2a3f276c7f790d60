/**
 * Writes a checkpoint with random weights for any BLIP-2 configuration, as transformers would lay it out: config.json,
 * shards, index, and a tokenizer whose words are the ids ("t17"). For timing, memory and whether two engines agree: the
 * weights are noise, the same in every call.
 *
 *   npm run build && node bench/make-checkpoint.mjs FOLDER [--model PRESET | --config FILE] [--dtype F32|F16|BF16]
 *     [--own-head] [--shard BYTES] [--vision-layers N] [--qformer-layers N] [--text-layers N] [--sparse]
 *
 * With --config, --own-head adds a head beside the token table, as T5's files have it; presets say so themselves.
 * --sparse leaves all weights zero and takes no space on disk: sizes and planning only.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseBlip2Config } from '../dist/src/model/blip2-config.js';
import { blip2Tensors } from '../dist/src/model/blip2-tensors.js';
import { PRESETS } from '../dist/src/model/presets.js';
import { tensorBytes } from '../dist/src/tensor/tensor-info.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'Salesforce/blip2-opt-2.7b' },
    config: { type: 'string' },
    dtype: { type: 'string', default: 'F32' },
    shard: { type: 'string', default: '5000000000' },
    'vision-layers': { type: 'string' },
    'qformer-layers': { type: 'string' },
    'text-layers': { type: 'string' },
    sparse: { type: 'boolean', default: false },
    'own-head': { type: 'boolean', default: false },
  },
});
/** Numbers of noise, a prime: no two rows of a tensor are the same, so that no two tokens are equally likely. */
const NOISE = 8_388_593;
/** Every tensor begins far from the others in the noise: layers that are nearly alike would say the same to all they are given. */
const STRIDE = 2_654_435_761;
/**
 * Powers of two by which some tensors are larger than the others, so that 20 ids in a row differ: with all alike, every token
 * leads to the same one. Tokens of a model whose head is a table of its own may weigh most, and ids depend on each other and
 * on the picture; where the head is the token table they would only name themselves again, and positions weigh most.
 */
const SCALES = [
  [/crossattention\.attention\.query\.weight$/, 16],
  [/language_projection\.weight$/, 4],
  [/decoder\.embed_positions\.weight$/, 512],
  [/(shared|embed_tokens)\.weight$/, () => (ownHead ? 64 : 16)],
];
const [folder] = positionals;
if (folder === undefined) throw new Error('which folder?');

const preset = PRESETS.get(values.model);
if (preset === undefined && values.config === undefined) throw new Error(`no preset ${values.model}`);
const config = structuredClone(
  values.config === undefined ? preset.config : JSON.parse(await readFile(values.config, 'utf8')),
);
const setLayers = (part, key, count) => {
  if (count !== undefined) config[part] = { ...config[part], [key]: Number(count) };
};
setLayers('vision_config', 'num_hidden_layers', values['vision-layers']);
setLayers('qformer_config', 'num_hidden_layers', values['qformer-layers']);
setLayers(
  'text_config',
  config.text_config?.model_type === 't5' ? 'num_layers' : 'num_hidden_layers',
  values['text-layers'],
);

const parsed = parseBlip2Config(config);
const ownHead = values.config === undefined ? preset.ownHead : values['own-head'];
const tensors = blip2Tensors(parsed, { dtype: values.dtype, ownHead });
const shards = cutIntoShards(tensors, Number(values.shard));

/** Encoded noise by its scale. */
const tables = new Map();

await mkdir(folder, { recursive: true });
const weightMap = {};
let tensorsWritten = 0;
for (const [index, shard] of shards.entries()) {
  const part = `model-${String(index + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors`;
  for (const [name] of shard) weightMap[name] = part;
  await writeShard(join(folder, part), shard);
}
const totalBytes = [...tensors.values()].reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
const index = { metadata: { total_size: totalBytes }, weight_map: weightMap };
await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index, null, 2));
await writeFile(join(folder, 'config.json'), JSON.stringify(config, null, 2));
await writeFile(join(folder, 'preprocessor_config.json'), JSON.stringify(preprocessor(parsed.vision.imageSize)));
await writeTokenizer(folder, parsed.text.vocabSize);
if (parsed.qformer.text !== null)
  await writeTokenizer(join(folder, 'qformer_tokenizer'), parsed.qformer.text.vocabSize);
process.stderr.write(`${folder}: ${tensors.size} tensors, ${totalBytes} bytes, ${shards.length} shards\n`);

function preprocessor(size) {
  return {
    image_processor_type: 'BlipImageProcessor',
    do_resize: true,
    do_rescale: true,
    do_normalize: true,
    size: { height: size, width: size },
    resample: 3,
    rescale_factor: 1 / 255,
    image_mean: [0.48145466, 0.4578275, 0.40821073],
    image_std: [0.26862954, 0.26130258, 0.27577711],
  };
}

async function writeTokenizer(into, vocabSize) {
  const vocab = Object.fromEntries(Array.from({ length: vocabSize }, (_, id) => [`t${id}`, id]));
  const model = {
    type: 'WordPiece',
    unk_token: 't3',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab,
  };
  const tokenizer = {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
    model,
  };
  await mkdir(into, { recursive: true });
  await writeFile(join(into, 'tokenizer.json'), JSON.stringify(tokenizer));
  await writeFile(join(into, 'tokenizer_config.json'), JSON.stringify({ unk_token: 't3' }));
}

function cutIntoShards(all, limitBytes) {
  const result = [];
  let bytes = Infinity;
  for (const [name, tensor] of all) {
    const size = tensorBytes(tensor);
    if (bytes + size > limitBytes) {
      result.push([]);
      bytes = 0;
    }
    result.at(-1).push([name, tensor]);
    bytes += size;
  }
  return result;
}

async function writeShard(path, shard) {
  let offset = 0;
  const header = { __metadata__: { format: 'pt' } };
  for (const [name, tensor] of shard) {
    const end = offset + tensorBytes(tensor);
    header[name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(Math.ceil(Buffer.byteLength(json) / 8) * 8, ' '));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  if (values.sparse) {
    const file = await open(path, 'w');
    await file.write(Buffer.concat([length, text]));
    await file.truncate(8 + text.length + offset);
    await file.close();
    return;
  }
  const stream = createWriteStream(path, { highWaterMark: 1 << 24 });
  const write = (bytes) => new Promise((done, fail) => stream.write(bytes, (e) => (e ? fail(e) : done())));
  await write(length);
  await write(text);
  for (const [name, tensor] of shard) {
    tensorsWritten += 1;
    for (const bytes of weightBytes(name, tensor)) await write(bytes);
  }
  await new Promise((done) => stream.end(done));
}

/** Norms' scales are 1, all else is noise with transformers' deviation of 0.02. */
function* weightBytes(name, tensor) {
  if (name.endsWith('.weight') && tensor.shape.length === 1) {
    yield encode(new Float32Array(tensor.shape[0]).fill(1));
    return;
  }
  const table = noise(scaleOf(name));
  let start = ((tensorsWritten * STRIDE) % NOISE) * (values.dtype === 'F32' ? 4 : 2);
  for (let left = tensorBytes(tensor); left > 0;) {
    const bytes = table.subarray(start, start + left);
    yield bytes;
    left -= bytes.length;
    start = 0;
  }
}

function scaleOf(name) {
  const [, scale = 1] = SCALES.find(([pattern]) => pattern.test(name)) ?? [];
  return typeof scale === 'function' ? scale() : scale;
}

function noise(scale) {
  const known = tables.get(scale) ?? encode(randomFloats(NOISE, scale));
  tables.set(scale, known);
  return known;
}

function randomFloats(count, scale) {
  let state = 0x9e3779b9;
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return scale * 0.02 * Math.sqrt(3) * (state / 2 ** 31);
  });
}

function encode(floats) {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  if (values.dtype === 'F32') return new Uint8Array(bits.buffer);
  if (values.dtype === 'BF16') return new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer);
  return new Uint8Array(Uint16Array.from(bits, halfBits).buffer);
}

/** float16 of a float32 between 2^-14 and 65504, rounded towards zero; smaller ones become zero. */
function halfBits(word) {
  const exponent = ((word >>> 23) & 255) - 112;
  return exponent <= 0 ? 0 : ((word >>> 16) & 0x8000) | (exponent << 10) | ((word >>> 13) & 1023);
}
