import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { weightFileWarnings } from './weight-files.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weight-files-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** One tensor of four floats. */
function oneTensor(name: string): Uint8Array {
  const header = Buffer.from(JSON.stringify({ [name]: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } }));
  const front = Buffer.alloc(8);
  front.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([front, header, Buffer.alloc(16)]);
}

// maybe_load_adapters of transformers 5.24: of a folder with a config.json the model is its own, and the adapter comes upon it.
it('says of an adapter beside a model that it is loaded, too, and how large it is', async () => {
  await writeFile(join(folder, 'model.safetensors'), oneTensor('model.norm.weight'));
  await writeFile(join(folder, 'config.json'), '{}');
  expect(weightFileWarnings(await openCheckpoint(folder))).toEqual([]);
  await writeFile(join(folder, 'adapter_config.json'), '{"base_model_name_or_path": "owner/model"}');
  await writeFile(join(folder, 'adapter_model.safetensors'), Buffer.alloc(3 * 2 ** 20));
  expect(weightFileWarnings(await openCheckpoint(folder))).toEqual([
    expect.stringContaining('loads that adapter (3 MiB as stored) upon them'),
  ]);
});
