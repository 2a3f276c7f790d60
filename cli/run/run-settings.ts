import { createHash } from 'node:crypto';
import type { GenerationOptions, PlacementOptions } from '../../src/runtime/index.js';
import type { RunSettings } from '../../src/bulk/run/run-file.js';
import { flagOf } from '../common/flag-of.js';
import { usageError } from '../common/main.js';
import type { AskedModel } from './asked-model.js';
import type { BulkRequest } from './bulk-flags.js';
import { contentsHash } from './contents-hash.js';

export interface AskedRun extends Pick<AskedModel, 'checkpoint' | 'ask' | 'generation' | 'placed' | 'pictureSize'> {
  readonly request: BulkRequest;
}

/** @throws Blip2Error `USAGE`: a run that goes on has to draw as it did before */
export function refuseSampleWithoutSeed(generation: GenerationOptions): void {
  if (generation.doSample !== true || generation.seed !== undefined) return;
  throw usageError('--sample with --out needs --seed', 'A run that goes on draws as it did before it was stopped.');
}

/** Everything that decides what a run writes, and nothing of where and how fast it is made. */
export async function runSettings(run: AskedRun): Promise<RunSettings> {
  const { checkpoint, ask, generation, placed, pictureSize, request } = run;
  const { format, shardSize, existing, prefix, suffix, beside, imageRoot = null } = request;
  const options = optionsOf(generation).map(([name, value]) => [flagOf(name), plain(value)] as const);
  return {
    checkpoint: await contentsHash(checkpoint),
    '--question': ask.question ?? null,
    '--prompt': ask.prompt ?? null,
    ...Object.fromEntries(options),
    [flagOf('pictureSize')]: pictureSize === undefined ? null : plain(pictureSize),
    ...quantSettings(placed),
    '--format': format,
    '--shard-size': shardSize,
    '--image-root': imageRoot,
    ...(format === 'txt' ? { '--existing': existing, '--prefix': prefix, '--suffix': suffix, '--beside': beside } : {}),
  };
}

const optionsOf = (generation: GenerationOptions) => Object.entries(generation) as [keyof GenerationOptions, unknown][];

/** What is quantised changes texts. Without a plan it follows from budgets. */
function quantSettings({ plan, budgets, planning }: PlacementOptions): RunSettings {
  if (plan !== undefined && 'quant' in plan) return { 'quantised blocks': digest(plan.quant) };
  const allowed = planning?.allowQuant ?? [];
  if (budgets === undefined || allowed.length === 0) return { 'quantised blocks': null };
  const { gpus, ramBytes, diskBytes } = budgets;
  return {
    'quantised blocks': digest([
      allowed,
      [...gpus],
      ramBytes,
      diskBytes,
      planning?.reserveBytes ?? 0,
      planning?.batches ?? null,
    ]),
  };
}

const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

function plain(value: unknown): string | number | boolean | null {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return JSON.stringify(value) ?? null;
}
