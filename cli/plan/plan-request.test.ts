import { expect, it } from 'vitest';
import { readRequest } from './plan-request.js';
import type { RequestArgs } from './request-flags.js';

const usual = { vram: ['6G'], profile: 'none', provider: 'cuda', objective: 'latency' } as const;

it.each<[Partial<RequestArgs>, string]>([
  [{ gpu: ['4090', '3060'] }, '--gpu names 2 cards, and --vram the memory of 1'],
  [{ pin: ['qformer=0', 'qformer=cpu'] }, '--pin qformer=cpu contradicts an earlier one, which says 0'],
  [{ dtype: ['fp16', 'bf16'] }, '--dtype bf16 contradicts an earlier one, which says float16'],
  [{ dtype: ['qformer=fp32', 'qformer=half'] }, '--dtype qformer=half contradicts an earlier one, which says float32'],
])('%j is refused: half of it would count', async (args, message) => {
  await expect(readRequest({ ...usual, ...args })).rejects.toMatchObject({ code: 'USAGE', message });
});

it('what is said twice alike is said', async () => {
  const { options } = await readRequest({ ...usual, pin: ['qformer=0', 'qformer=0'], dtype: ['fp16', 'half'] });
  expect(options).toMatchObject({ dtype: 'float16', pins: new Map([['qformer', 0]]) });
});
