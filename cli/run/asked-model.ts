import type { Checkpoint } from '../../src/loader/index.js';
import type {
  Ask,
  CaptionerOptions,
  GenerationOptions,
  PictureSize,
  PlacementOptions,
  Progress,
} from '../../src/runtime/index.js';
import { isBlip2, parseModelConfig, placeholderWarning } from '../../src/model/blip2-config.js';
import type { Provider } from '../../src/runtime/device/provider.js';
import type { HubArgs } from '../common/hub-flags.js';
import { openSource } from '../common/open-source.js';
import type { RateLine } from '../common/rate-line.js';
import { planSummary } from '../plan/summary.js';
import { readAsk, readGeneration, type GenerationArgs } from './generation-flags.js';
import type { FetchOptions } from '../../src/runtime/image/fetch-picture.js';
import { fetchLimitsOf, type PictureArgs } from './picture-flags.js';
import { readPlacement, type PlacementArgs } from './read-placement.js';

export interface ModelArgs extends HubArgs, PlacementArgs, PictureArgs, GenerationArgs {
  readonly model: string;
  readonly provider: Provider;
  readonly 'emulate-gpu'?: boolean | undefined;
  readonly threads?: number | undefined;
  readonly 'picture-size'?: PictureSize | undefined;
}

/** A model as the command line asks for it; its process is not started. */
export interface AskedModel {
  readonly checkpoint: Checkpoint;
  readonly ask: Ask;
  readonly generation: GenerationOptions;
  readonly placed: PlacementOptions;
  readonly devices: Omit<CaptionerOptions, 'plan' | 'budgets' | 'planning'>;
  /** What devices say of it, for pictures that are fetched on the way to the model. */
  readonly fetching: FetchOptions;
  readonly provider: Provider;
  readonly pictureSize: PictureSize | undefined;
}

export interface AskModelOptions {
  /** How many pictures run together. */
  readonly atOnce: number | 'auto';
  /** How many there are in all. */
  readonly pictures: number;
  /** Of texts that come later. */
  readonly mostTextTokens?: number;
  readonly signal: AbortSignal;
  /** Takes what a person should know, a line each. */
  readonly say: (text: string) => void;
  readonly rate: RateLine;
}

/** Opens the checkpoint, has its weights on this machine, and reads what is asked of it. */
export async function askModel(args: ModelArgs, options: AskModelOptions): Promise<AskedModel> {
  const { atOnce, pictures, signal, say, rate } = options;
  const checkpoint = await openSource(args.model, args, signal);
  for (const { message, code } of checkpoint.warnings) say(`warning: ${message} [${code}]`);
  const placeholder = isBlip2(checkpoint.config) ? placeholderWarning(parseModelConfig(checkpoint.config)) : null;
  if (placeholder !== null) say(`warning: ${placeholder}`);
  const [ask, generation] = [readAsk(args), readGeneration(args)];
  const placed = await readPlacement(args, async (budgets) => {
    const { planWorkload } = await import('./plan-workload.js');
    const { autoBatches } = await import('../../src/planner/plan/plan-for-batches.js');
    const batches = atOnce === 'auto' ? autoBatches(budgets, pictures) : [atOnce];
    const workload = await planWorkload(checkpoint, ask, generation, options.mostTextTokens);
    return Math.max(...batches) === 1 ? { workload } : { workload, batches };
  });
  const onSlow = (url: string) => say(`waiting for ${url}`);
  const onProgress = (progress: Progress) => {
    if (progress.stage === 'planned') say(planSummary(progress.plan));
    if (progress.stage === 'fetching') onSlow(progress.url);
    if (progress.stage === 'converting') rate.update(progress.doneBytes, progress.totalBytes);
  };
  const limits = fetchLimitsOf(args);
  const devices = {
    onProgress,
    signal,
    ...(args.provider === 'auto' ? {} : { provider: args.provider }),
    ...(args['emulate-gpu'] === true ? { emulateGpu: true } : {}),
    ...(args.threads === undefined ? {} : { threads: args.threads }),
    ...limits,
    ...(args['picture-size'] === undefined ? {} : { pictureSize: args['picture-size'] }),
  };
  return {
    checkpoint,
    ask,
    generation,
    placed,
    devices,
    fetching: { ...limits, onSlow },
    provider: args.provider,
    pictureSize: args['picture-size'],
  };
}
