import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { preparePlan } from '../../src/planner/plan/request/prepare-plan.js';
import { readRequest, type PlanRequest } from './plan-request.js';
import { adapterBeside } from './weight-files.js';

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
it('reads an adapter beside a model, which is loaded, too, by the names that the model has', async () => {
  await writeFile(join(folder, 'model.safetensors'), oneTensor('model.norm.weight'));
  await writeFile(join(folder, 'config.json'), '{}');
  expect(await adapterBeside(await openCheckpoint(folder))).toEqual({ tensors: new Map(), warnings: [] });
  await writeFile(join(folder, 'adapter_config.json'), '{"base_model_name_or_path": "owner/model"}');
  const without = await adapterBeside(await openCheckpoint(folder));
  expect(without.warnings).toEqual([
    expect.stringMatching(/is not there .*where PEFT is installed, from_pretrained fails on it/),
  ]);
  await writeFile(join(folder, 'adapter_model.bin'), '');
  const pickled = await adapterBeside(await openCheckpoint(folder));
  expect(pickled.warnings).toEqual([expect.stringContaining('which this plan does not count')]);
  await writeFile(join(folder, 'adapter_model.safetensors'), oneTensor('base_model.model.model.norm.lora_A.weight'));
  const { tensors, warnings } = await adapterBeside(await openCheckpoint(folder));
  expect([...tensors]).toEqual([['model.norm.lora_A.weight', expect.objectContaining({ dtype: 'F32', shape: [4] })]]);
  expect(warnings).toEqual([expect.stringContaining('this plan counts where its modules run')]);
});

// With PEFT 0.21.2 `SafetensorError: Error while deserializing header`, without it the model alone.
it('plans the model alone where its adapter is broken, and says who fails on it', async () => {
  await writeFile(join(folder, 'model.safetensors'), oneTensor('model.norm.weight'));
  await writeFile(join(folder, 'config.json'), '{}');
  await writeFile(join(folder, 'adapter_config.json'), '{}');
  await writeFile(join(folder, 'adapter_model.safetensors'), oneTensor('norm.lora_A.weight').subarray(0, 40));
  const { tensors, warnings } = await adapterBeside(await openCheckpoint(folder));
  expect(tensors.size).toBe(0);
  expect(warnings).toEqual([
    expect.stringMatching(/cannot be read .*where PEFT is installed, from_pretrained fails on it/),
  ]);
});

it('counts it in the dtype of the model', async () => {
  await writeFile(join(folder, 'model.safetensors'), oneTensor('model.norm.weight'));
  const config = { architectures: ['LlamaForCausalLM'], model_type: 'llama', torch_dtype: 'bfloat16' };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  const args = { checkpoint: folder, vram: ['1GiB'], provider: 'cuda', objective: 'latency' } as const;
  const before = await readRequest(args);
  await writeFile(join(folder, 'adapter_config.json'), '{}');
  await writeFile(join(folder, 'adapter_model.safetensors'), oneTensor('base_model.model.model.norm.lora_A.weight'));
  const beside = ({ tensors, options }: PlanRequest) =>
    preparePlan(tensors, options).profile.blocks.reduce((sum, { bufferBytes }) => sum + bufferBytes, 0);
  expect(beside(await readRequest(args)) - beside(before)).toBe(4 * 2);
});

it('says which of its tensors are in no module of the model, and how many bytes these are', async () => {
  await writeFile(join(folder, 'model.safetensors'), oneTensor('model.norm.weight'));
  const config = { architectures: ['LlamaForCausalLM'], model_type: 'llama', torch_dtype: 'bfloat16' };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'adapter_config.json'), '{"peft_type": "PROMPT_TUNING"}');
  const warnings = async (name: string) => {
    await writeFile(join(folder, 'adapter_model.safetensors'), oneTensor(name));
    const args = { checkpoint: folder, vram: ['1GiB'], provider: 'cuda', objective: 'latency' } as const;
    const { tensors, options } = await readRequest(args);
    return preparePlan(tensors, options).profile.warnings.filter((said) => said.includes('no module of this model'));
  };
  expect(await warnings('prompt_embeddings')).toEqual([
    'prompt_embeddings is in no module of this model: this plan does not count 8 bytes of it. Leave that much in reserve.',
  ]);
  expect(await warnings('base_model.model.model.norm.lora_A.weight')).toEqual([]);
});
