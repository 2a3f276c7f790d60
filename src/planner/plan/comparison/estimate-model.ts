/** What a model takes: bytes by dtype and length of the context, and the cards that hold all of it. */
import { type TensorTable, elementCount } from '../../../tensor/tensor-info.js';
import { isBlip2 } from '../../../model/blip2-config.js';
import { KNOWN_GPUS } from '../../price/known-devices.js';
import { type LoadDtype, LOAD_DTYPES } from '../../../tensor/load-dtype.js';
import type { PlanOptions } from '../request/plan-options.js';
import { gpuCacheBytes, type ModelProfile } from '../../profile/model-profile.js';
import { profiler } from '../request/profiler.js';

/** A model in one dtype with one context. */
export interface EstimateRow {
  readonly dtype: LoadDtype;
  /** Tokens of prompt and answer together. */
  readonly contextTokens: number;
  readonly weightBytes: number;
  readonly cacheBytes: number;
  /** Of the block that needs most. */
  readonly activationBytes: number;
  /** Names of cards whose memory holds these, the driver's share and the libraries' workspace. */
  readonly cards: readonly string[];
}

/** How large a model is, by dtype and context. */
export interface Estimate {
  /** As transformers calls it; null where it is not known. */
  readonly className: string | null;
  /** Elements of all tensors. */
  readonly parameters: number;
  readonly rows: readonly EstimateRow[];
  readonly assumptions: readonly string[];
  readonly warnings: readonly string[];
}

const CONTEXTS: readonly number[] = [1024, 8192, 32768];

/**
 * Bytes of a model by dtype and context, and the cards that hold all of it.
 * @param contexts lengths to estimate for; of a BLIP-2 and of a model that makes no tokens there is its usual call only
 * @throws Blip2Error as `planDeviceMap`
 */
export function estimateModel(
  tensors: TensorTable,
  options: Omit<PlanOptions, 'budgets'>,
  contexts: readonly number[] = CONTEXTS,
): Estimate {
  const profilerOf = (dtype: LoadDtype) => profiler(tensors, { engine: 'transformers', ...options, dtype });
  const usual = profilerOf('float16')(options.workload);
  const { newTokens, promptTokens } = usual.workload;
  const makesTokens = !isBlip2(options.config) && usual.model?.use !== 'once';
  const lengths = makesTokens
    ? contexts.filter((tokens) => tokens > newTokens)
    : [usual.model?.use === 'once' ? promptTokens : promptTokens + newTokens];
  const rows = (options.dtype === undefined ? LOAD_DTYPES : [options.dtype]).flatMap((dtype) => {
    const profileFor = profilerOf(dtype);
    return lengths.map((tokens) => {
      const asked = makesTokens ? { promptTokens: tokens - newTokens } : {};
      return estimated(profileFor({ ...options.workload, ...asked }), tokens);
    });
  });
  return {
    className: usual.model === undefined ? 'Blip2ForConditionalGeneration' : (usual.model?.class ?? null),
    parameters: [...tensors.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0),
    rows,
    assumptions: usual.assumptions.filter((text) => !text.startsWith('The workload')),
    warnings: usual.warnings,
  };
}

function estimated({ dtype, blocks, weightBytes }: ModelProfile, contextTokens: number): EstimateRow {
  const cacheBytes = blocks.reduce((sum, block) => sum + gpuCacheBytes(block), 0);
  const activationBytes = Math.max(0, ...blocks.map((block) => block.activationElements * block.elementBytes));
  const bufferBytes = blocks.reduce((sum, block) => sum + block.bufferBytes, 0);
  const needed = weightBytes + cacheBytes + activationBytes + bufferBytes;
  const cards = [...KNOWN_GPUS].filter(([, { memoryBytes = 0, engines }]) => {
    const { contextBytes, workspaceBytes } = engines.transformers;
    return needed + contextBytes + workspaceBytes <= memoryBytes;
  });
  return { dtype, contextTokens, weightBytes, cacheBytes, activationBytes, cards: cards.map(([name]) => name) };
}
