/**
 * Writes a checkpoint with random weights for any BLIP-2 configuration, as transformers would lay it out: config.json,
 * shards, index. For timing and memory: the weights are noise.
 *
 *   npm run build && node bench/make-checkpoint.mjs FOLDER [--model PRESET | --config FILE] [--dtype F32|F16|BF16]
 *     [--shard BYTES] [--vision-layers N] [--qformer-layers N] [--text-layers N] [--sparse]
 *
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
  },
});
const NOISE_BYTES = 1 << 24;
/** Every tensor begins elsewhere in the noise: ONNX Runtime keeps one copy of prepacked weights that are alike. */
const SHIFT_BYTES = 64;
const SHIFTS = 1 << 12;
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
const tensors = blip2Tensors(parsed, { dtype: values.dtype, ownHead: preset?.ownHead ?? false });
const shards = cutIntoShards(tensors, Number(values.shard));

const table = values.sparse
  ? null
  : encode(randomFloats((NOISE_BYTES + SHIFTS * SHIFT_BYTES) / (values.dtype === 'F32' ? 4 : 2)));

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
process.stderr.write(`${folder}: ${tensors.size} tensors, ${totalBytes} bytes, ${shards.length} shards\n`);

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
    for (let left = tensorBytes(tensor); left > 0; left -= NOISE_BYTES) await write(noise(name, tensor, left));
  }
  await new Promise((done) => stream.end(done));
}

/** Bytes of one tensor, or of its next part: norms' scales are 1, all else is noise with transformers' deviation of 0.02. */
function noise(name, tensor, leftBytes) {
  const size = Math.min(leftBytes, NOISE_BYTES);
  if (name.endsWith('.weight') && tensor.shape.length === 1) return encode(new Float32Array(tensor.shape[0]).fill(1));
  const start = (tensorsWritten % SHIFTS) * SHIFT_BYTES;
  return table.subarray(start, start + size);
}

function randomFloats(count) {
  let state = 0x9e3779b9;
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return 0.02 * Math.sqrt(3) * (state / 2 ** 31);
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
