/** The profile of a checkpoint for what is asked of it: of a BLIP-2, of a class that is known, or of names alone. */
import { Blip2Error } from '../../../errors.js';
import { isBlip2, isRetrieval, parseModelConfig, type ModelConfig } from '../../../model/blip2-config.js';
import { positionLimit, type TextConfig } from '../../../model/language-config.js';
import type { QuantScheme } from '../../../tensor/quantized.js';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { loadedModel } from '../../models/loaded-model.js';
import { storedDtype } from '../../models/stored-dtype.js';
import { blip2Profile, type Blip2ProfileOptions } from '../../profile/blip2-profile.js';
import { withExtras } from '../../profile/extras.js';
import { genericProfile } from '../../profile/generic-profile.js';
import type { ModelProfile } from '../../profile/model-profile.js';
import { usualWorkload } from '../../profile/usual-workload.js';
import { parseWorkload, type Workload } from '../../profile/workload.js';
import type { PlanOptions } from './plan-options.js';

/** @throws Blip2Error `BAD_WORKLOAD`, `BAD_QUANT`, and what the profiles throw */
export function profileOf(tensors: ReadonlyMap<string, TensorInfo>, options: PlanOptions): ModelProfile {
  const config = isBlip2(options.config) ? parseModelConfig(options.config) : null;
  const shared = {
    dtype: options.dtype ?? 'float16',
    ...(options.dtypes === undefined ? {} : { overrides: options.dtypes }),
    engine: options.engine ?? 'blip2-run',
    schemes: options.allowQuant ?? [],
  } as const;
  const profile =
    config === null ? anyProfile(tensors, options, shared) : knownProfile(tensors, config, options.workload, shared);
  checkQuantization(profile, shared.schemes);
  return options.ties === undefined && options.buffers === undefined ? profile : withExtras(profile, options);
}

type Shared = Omit<Blip2ProfileOptions, 'workload'>;

function knownProfile(
  tensors: ReadonlyMap<string, TensorInfo>,
  config: ModelConfig,
  asked: Partial<Workload> | undefined,
  shared: Shared,
): ModelProfile {
  const workload = parseWorkload(asked, config.numQueryTokens, textTokens(config));
  if (!isRetrieval(config)) checkPositions(workload, config.text);
  const profile = blip2Profile(tensors, config, { ...shared, workload });
  const name = isRetrieval(config)
    ? 'Blip2ForImageTextRetrieval'
    : config.qformer.text === null
      ? null
      : 'InstructBlipForConditionalGeneration';
  return name === null ? profile : { ...profile, model: { class: name, use: 'picture' } };
}

function anyProfile(tensors: ReadonlyMap<string, TensorInfo>, options: PlanOptions, shared: Shared): ModelProfile {
  const { models, config } = options;
  if (models === undefined)
    return genericProfile(tensors, { ...shared, workload: parseWorkload(options.workload), config, model: null });
  const model = loadedModel(models, config, tensors);
  const workload = parseWorkload({ ...usualWorkload(model?.cls.use ?? 'causal'), ...options.workload });
  const dtype = options.dtype ?? storedDtype(config, tensors);
  const profile = genericProfile(tensors, { ...shared, dtype, workload, config, model });
  return model === null || options.names !== 'file' ? profile : { ...profile, fileNames: model.sources };
}

/** InstructBLIP has no caption without an instruction: "A short image description:" is about six tokens. */
const INSTRUCTION_TOKENS = 8;

function textTokens(config: ModelConfig): number {
  return config.qformer.text !== null && !isRetrieval(config) ? INSTRUCTION_TOKENS : 1;
}

/** New tokens may be fewer than asked for; caches are planned for all of them. */
function checkPositions({ promptTokens, newTokens }: Workload, text: TextConfig): void {
  const limit = positionLimit(text);
  if (limit === null || promptTokens + newTokens <= limit) return;
  const counts = `${promptTokens} tokens of prompt and ${newTokens} new ones`;
  throw new Blip2Error(
    'BAD_WORKLOAD',
    `${counts} are ${promptTokens + newTokens}; this model has ${limit} positions.`,
    {
      hint:
        promptTokens < limit
          ? `newTokens may be ${limit - promptTokens} at most.`
          : `promptTokens may be ${limit - 1} at most.`,
      details: { promptTokens, newTokens, limit },
    },
  );
}

function checkQuantization(profile: ModelProfile, schemes: readonly QuantScheme[]): void {
  if (profile.engine === 'transformers') {
    const stored = profile.blocks.find((block) => block.scheme !== null);
    if (schemes.length === 0 && stored === undefined) return;
    throw new Blip2Error(
      'BAD_QUANT',
      stored === undefined
        ? 'transformers cannot run weights quantised the way allowed here.'
        : `transformers cannot run ${stored.name}, whose weights this checkpoint stores as ${stored.scheme}.`,
      {
        hint: 'Plan for blip2-run, or leave --allow-quant out and give the checkpoint with floats.',
        details: { schemes },
      },
    );
  }
  if (schemes.length === 0 || profile.blocks.some((block) => block.forms.size > 0)) return;
  if (profile.blocks.some((block) => block.scheme !== null)) return;
  throw new Blip2Error(
    'BAD_QUANT',
    'No block of this checkpoint can be quantised: that takes a BLIP-2 language model.',
    {
      hint: 'Leave --allow-quant out.',
    },
  );
}
