import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { DTYPE_BITS, isDtype } from '../../src/tensor/dtype.js';
import { command, ROOT } from './command.js';

const rowSchema = z.object({
  class: z.string(),
  config: z.record(z.string(), z.unknown()),
  file: z.record(z.string(), z.tuple([z.string()]).rest(z.number())),
  loaded: z.array(z.string()),
  bytes: z.object({ float16: z.number() }),
});
type Row = z.infer<typeof rowSchema>;

let folder = '';
let rows: Row[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'device-map-'));
  const text = await readFile(new URL('../fixtures/planner/models.json', import.meta.url), 'utf8');
  rows = z.object({ models: z.array(rowSchema) }).parse(JSON.parse(text)).models;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A checkpoint of headers, and holes where weights would be. */
async function checkpoint(
  name: string,
  change: Record<string, unknown> = {},
  renamed = (tensor: string) => tensor,
): Promise<{ path: string; row: Row }> {
  const row = rows.find((each) => each.class === name);
  if (row === undefined) throw new Error(name);
  const path = await mkdtemp(join(folder, 'model-'));
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(row.file).map(([tensor, [dtype, ...shape]]) => {
      if (!isDtype(dtype)) throw new Error(dtype);
      const begin = end;
      end += (shape.reduce((product, side) => product * side, 1) * DTYPE_BITS[dtype]) / 8;
      return [renamed(tensor), { dtype, shape, data_offsets: [begin, end] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'model.safetensors'), Buffer.concat([length, json]));
  await truncate(join(path, 'model.safetensors'), 8 + json.length + end);
  await writeFile(join(path, 'config.json'), JSON.stringify({ ...row.config, ...change }));
  return { path, row };
}

const plan = (...args: string[]) => command('blip2-plan', args);

describe('a model that is not BLIP-2', () => {
  it('has a map with keys for all that transformers loads, the tied head too', async () => {
    const { path } = await checkpoint('Qwen3ForCausalLM');
    const { code, stdout, stderr } = await plan(path, '--vram', '20G', '--pin', 'model.layers.0=cpu');
    expect(code).toBe(0);
    expect(Object.keys(JSON.parse(stdout) as object)).toContain('lm_head');
    expect(stderr).toContain('for transformers');
    expect(stderr).toContain('a chat of 1024 tokens and 256 new ones');
    expect(stderr).toContain('Qwen3ForCausalLM in transformers 5.24.0');
  });

  it('is explained in the names that transformers has for it', async () => {
    const { path } = await checkpoint('LlavaForConditionalGeneration');
    const map = join(folder, 'map.json');
    await writeFile(
      map,
      '{"model.vision_tower":0,"model.multi_modal_projector":0,"model.language_model":"cpu","lm_head":"cpu"}',
    );
    const sound = await plan('explain', map, path, '--vram', '20G');
    expect(sound.stdout).toContain('The map is sound');
    expect(sound.code).toBe(0);
    await writeFile(map, '{"vision_tower":0,"multi_modal_projector":0,"language_model":"cpu"}');
    const ofFile = await plan('explain', map, path, '--vram', '20G');
    expect(ofFile.stdout).toContain('MAP_UNCOVERED');
    expect(ofFile.code).toBe(2);
    expect((await plan('explain', map, path, '--vram', '20G', '--names', 'file')).code).toBe(0);
  });

  it('is written as Python with its class, its dtype and the file that merges go to', async () => {
    const { path } = await checkpoint('MixtralForCausalLM', { dtype: 'bfloat16' });
    const { stdout } = await plan(path, '--vram', '5G', '--ram', '4G', '--disk', '100G', '-f', 'python', '-q');
    expect(stdout).toContain('from transformers import AutoTokenizer, MixtralForCausalLM');
    expect(stdout).toContain('dtype=torch.bfloat16,');
    expect(stdout).toContain('offload_folder=');
    const refused = await plan(path, '--vram', '8G', '-f', 'python', '--names', 'file');
    expect(refused.code).toBe(2);
  });

  it('of an unknown class is planned by its names, and says so; for transformers only when asked for', async () => {
    const { path } = await checkpoint('LlamaForCausalLM', { architectures: ['NovelForCausalLM'], model_type: 'novel' });
    const planned = await plan(path, '--vram', '1G');
    expect(planned.code).toBe(0);
    expect(planned.stderr).toContain('NovelForCausalLM is not in the table');
    const refused = await plan(path, '--vram', '1G', '--engine', 'transformers');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('MODEL_UNKNOWN');
    const asked = await plan(path, '--vram', '1G', '--engine', 'transformers', '--names', 'file');
    expect(asked.code).toBe(0);
    const theirs = await plan(path, '--vram', '1G', '--strategy', 'balanced');
    expect(theirs.stderr).toContain('MODEL_UNKNOWN');
  });

  it('that is an adapter alone is called one', async () => {
    const { path } = await checkpoint('LlamaForCausalLM', {}, (tensor) => `base_model.model.${tensor}`);
    const { stderr } = await plan('estimate', path);
    expect(stderr).toMatch(/an adapter without the model that it is for.* base_model_name_or_path/);
    const refused = await plan(path, '--vram', '1G', '--engine', 'transformers');
    expect(refused.stderr).toMatch(/an adapter without[^]*\[MODEL_UNKNOWN\]\nGive the model that adapter_config\.json/);
  });

  // transformers 5.24 loads such files of Llama with all of its weights made up.
  it.each([
    ['base_model.model.', 'merge_and_unload()'],
    ['module.', '`blip2-shard rename CHECKPOINT OUT --prefix module.=`'],
    ['_orig_mod.', '`blip2-shard rename CHECKPOINT OUT --prefix _orig_mod.=`'],
  ])('of names within %s says how to take them out', async (prefix, said) => {
    const { path } = await checkpoint(
      'LlamaForCausalLM',
      {},
      (tensor) =>
        prefix +
        (prefix === 'base_model.model.' ? tensor.replace('q_proj.weight', 'q_proj.base_layer.weight') : tensor),
    );
    expect((await plan('estimate', path)).stderr).toContain(said);
    const refused = await plan(path, '--vram', '1G', '--engine', 'transformers');
    expect(refused.stderr).toMatch(/\[MODEL_UNKNOWN\]\n/);
    expect(refused.stderr).toContain(said);
  });

  it('of a config.json that names no class is not said to have none', async () => {
    const { path } = await checkpoint('LlamaForCausalLM');
    await writeFile(join(path, 'config.json'), '{}');
    expect((await plan('estimate', path)).stderr).toContain('has neither architectures nor model_type');
    await rm(join(path, 'config.json'));
    expect((await plan('estimate', path)).stderr).toContain('A checkpoint without config.json');
  });

  it('of packed weights is counted as stored, and stays on the GPU where its method wants that', async () => {
    const quantization = { quant_method: 'bitsandbytes', load_in_4bit: true };
    const { path } = await checkpoint('LlamaForCausalLM', { quantization_config: quantization });
    const { stderr } = await plan(path, '--vram', '20G');
    expect(stderr).toContain('Weights are counted as they are stored (bitsandbytes)');
    expect(stderr).toContain('on GPUs alone');
  });
});

describe('estimate', () => {
  it('gives sizes by dtype and context, and cards that hold them', async () => {
    const { path, row } = await checkpoint('T5ForConditionalGeneration');
    const { code, stdout } = await plan('estimate', path, '--json');
    expect(code).toBe(0);
    const { className, rows: found } = z
      .object({
        className: z.string(),
        rows: z.array(
          z.object({
            dtype: z.string(),
            contextTokens: z.number(),
            weightBytes: z.number(),
            cards: z.array(z.string()),
          }),
        ),
      })
      .parse(JSON.parse(stdout));
    expect(className).toBe(row.class);
    expect(found.find(({ dtype }) => dtype === 'float16')?.weightBytes).toBe(row.bytes.float16);
    expect((await plan('estimate', path)).stdout).toMatch(
      /^T5ForConditionalGeneration: [\d.]+ (thousand|million) stored/,
    );
    expect(found.every(({ cards }) => cards.includes('H200'))).toBe(true);
  });

  it('is the same command under both names', async () => {
    const manifest = z
      .object({ bin: z.record(z.string(), z.string()) })
      .parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
    expect(manifest.bin['device-map']).toBe(manifest.bin['blip2-plan']);
    expect((await plan('estimate', '--help')).stdout).toContain('--context');
  });
});
