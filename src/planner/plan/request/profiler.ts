/** The profile of a checkpoint for what is asked of it: of a BLIP-2, of a class that is known, or of names alone. */
import { Blip2Error } from '../../../errors.js';
import { errorText, option } from '../../../error-text.js';
import { isBlip2, isRetrieval, parseModelConfig, type ModelConfig } from '../../../model/blip2-config.js';
import type { PictureSize } from '../../../model/picture-size.js';
import { mostTokens, type TextConfig } from '../../../model/language-config.js';
import type { QuantScheme } from '../../../tensor/quantized.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { decompressed } from '../../models/decompressed.js';
import { withExpertsApart } from '../../models/experts-apart.js';
import { loadedModel } from '../../models/loaded-model.js';
import { asConfig } from '../../models/model-config.js';
import { quantizationOf } from '../../models/quantization.js';
import { dtypeNote, storedDtype } from '../../models/stored-dtype.js';
import { blip2Profiler } from '../../profile/blip2/blip2-profile.js';
import type { Blip2ProfileOptions } from '../../profile/blip2/blip2-weights.js';
import { withExtras } from '../../profile/extras.js';
import { encodedPicture } from '../../profile/generic/picture-patches.js';
import { framesOfOnePass } from '../../profile/generic/one-pass-tokens.js';
import { usualPicture } from '../../profile/generic/usual-picture.js';
import { genericProfiler } from '../../profile/generic/generic-profile.js';
import type { ModelProfile, ProfileOptions } from '../../profile/model-profile.js';
import { usualWorkload } from '../../profile/workload/usual-workload.js';
import { parseWorkload, type Workload } from '../../profile/workload/workload.js';
import { checkOptions } from './check-options.js';
import type { PlanOptions } from './plan-options.js';

/** The profile of a checkpoint for what is asked of it; absent means the usual work. @throws Blip2Error `WORKLOAD_INVALID` */
export type Profiler = (asked?: Partial<Workload>, packedRows?: number) => ModelProfile;

/** How small the parts are that a map may place. */
export interface Grain {
  /** Whether a map that is explained places parts of a module, by its loaded name. */
  readonly isApart?: (path: string) => boolean;
  /** Whether a map that is explained keeps a tensor, by its loaded name, on its GPU. */
  readonly isKept?: (tensor: string) => boolean;
  /** Whether a map is explained, which may place apart what plans for several GPUs keep together. */
  readonly isGiven?: boolean;
  /** Whether one of several GPUs is to run all of it, so that nothing is kept together for the sake of the others. */
  readonly onOneGpu?: boolean;
}

type AskedOptions = Omit<PlanOptions, 'budgets' | 'workload'> & Partial<Pick<PlanOptions, 'budgets'>> & Grain;

/**
 * Looks at the tensors once, for any number of workloads.
 * @throws Blip2Error `OPTION_INVALID`, `QUANT_INVALID`, and what the profiles throw
 */
export function profiler(tensors: TensorTable, options: AskedOptions): Profiler {
  checkOptions(tensors, options);
  if (tensors.size === 0)
    throw new Blip2Error('TENSOR_NOT_FOUND', 'The checkpoint has no tensors: nothing is to be placed.');
  const schemes = options.allowQuant ?? [];
  const shared: ProfileOptions = {
    dtype: options.dtype ?? 'float16',
    overrides: options.dtypes,
    engine: options.engine ?? 'blip2-run',
    isKept: options.isKept,
  };
  const profileFor = isBlip2(options.config)
    ? knownProfiler(tensors, parseModelConfig(options.config), {
        ...shared,
        schemes,
        keepsQFormer: options.provider === 'webgpu',
      })
    : anyProfiler(tensors, options, shared);
  return (asked, packedRows) => {
    const profile = profileFor(asked, packedRows);
    checkQuantization(profile, schemes);
    return options.ties === undefined && options.buffers === undefined ? profile : withExtras(profile, options);
  };
}

function knownProfiler(tensors: TensorTable, config: ModelConfig, options: Blip2ProfileOptions): Profiler {
  const profileFor = blip2Profiler(tensors, config, options);
  const name = isRetrieval(config)
    ? 'Blip2ForImageTextRetrieval'
    : config.qformer.text === null
      ? null
      : 'InstructBlipForConditionalGeneration';
  const model = name === null ? {} : { model: { class: name, use: 'picture' } as const };
  return (asked, packedRows) => {
    const workload = parseWorkload(asked, config.numQueryTokens, textTokens(config));
    if (!isRetrieval(config)) checkPositions(workload, config.text);
    return { ...profileFor(workload, packedRows), ...model };
  };
}

function anyProfiler(tensors: TensorTable, options: AskedOptions, shared: ProfileOptions): Profiler {
  const { models, config, names } = options;
  const isTransformers = shared.engine === 'transformers';
  const isByFile = names === 'file';
  const described = asConfig(config);
  const quantization = quantizationOf(described, isTransformers && !isByFile ? 'transformers' : 'other');
  const loaded = decompressed(tensors, described, quantization);
  const gpus = options.onOneGpu === true ? 1 : (options.budgets?.gpus.size ?? 1);
  const { isApart, isGiven = false } = options;
  const grain = { isApart, isGiven, cutsLayers: options.cutsLayers === true };
  const given = { ...shared, config, quantization, gpus, ...grain };
  if (models === undefined) {
    const profileFor = genericProfiler(loaded, { ...given, model: null });
    return (asked) => profileFor(parseWorkload(asked));
  }
  const known = loadedModel(models, config, loaded);
  const model = known !== null && isByFile && !isTransformers ? withExpertsApart(known, loaded) : known;
  const dtype = options.dtype ?? storedDtype(config, tensors);
  const profileFor = genericProfiler(loaded, { ...given, dtype, model });
  const encoded = model?.cls.use === 'picture' && model.cls.encodes ? encodedPicture(described, model.tensors) : null;
  const usualFor = (pictureSize: PictureSize | null) => {
    const tokens =
      model === null
        ? null
        : (usualPicture(model.cls, described, pictureSize)?.tokens ?? framesOfOnePass(model.cls, described) ?? encoded);
    return { ...usualWorkload(model?.cls.use ?? 'causal'), ...(tokens === null ? {} : { promptTokens: tokens }) };
  };
  const fileNames = model === null || !isByFile ? {} : { fileNames: model.sources };
  const note = options.dtype === undefined ? dtypeNote(config, tensors) : null;
  return (asked) => {
    const profile = profileFor(parseWorkload({ ...usualFor(asked?.pictureSize ?? null), ...asked }));
    return { ...profile, ...fileNames, warnings: [...profile.warnings, ...(note === null ? [] : [note])] };
  };
}

/** InstructBLIP has no caption without an instruction: "A short image description:" is about six tokens. */
const INSTRUCTION_TOKENS = 8;

function textTokens(config: ModelConfig): number {
  return config.qformer.text !== null && !isRetrieval(config) ? INSTRUCTION_TOKENS : 1;
}

/** New tokens may be fewer than asked for; caches are planned for all of them. */
function checkPositions({ promptTokens, newTokens }: Workload, text: TextConfig): void {
  const limit = mostTokens(text);
  if (limit === null || promptTokens + newTokens <= limit) return;
  const counts = `${promptTokens} tokens of prompt and ${newTokens} new ones`;
  throw new Blip2Error(
    'WORKLOAD_INVALID',
    `${counts} are ${promptTokens + newTokens}; this model has ${limit - 1} positions, and the last new token needs none.`,
    {
      hint:
        promptTokens < limit
          ? errorText`${option('newTokens')} may be ${limit - promptTokens} at most.`
          : errorText`${option('promptTokens')} may be ${limit - 1} at most.`,
      details: { promptTokens, newTokens, limit },
    },
  );
}

function checkQuantization(profile: ModelProfile, schemes: readonly QuantScheme[]): void {
  if (profile.engine === 'transformers') {
    const stored = profile.blocks.find((block) => block.scheme !== null);
    if (schemes.length === 0 && stored === undefined) return;
    throw new Blip2Error(
      'QUANT_INVALID',
      stored === undefined
        ? `transformers cannot run weights as this package quantises them (${schemes.join(', ')}); blip2-run can.`
        : `transformers cannot run ${stored.name}, whose weights this checkpoint stores as ${stored.scheme}; blip2-run can.`,
      {
        hint:
          stored === undefined
            ? errorText`Leave ${option('allowQuant')} out, or plan for blip2-run, whose plans are JSON and no Python.`
            : 'Give the checkpoint with floats that it was made of, or plan for blip2-run, whose plans are JSON and no Python.',
        details: { schemes },
      },
    );
  }
  if (schemes.length === 0 || profile.blocks.some((block) => block.forms.size > 0)) return;
  if (profile.blocks.some((block) => block.scheme !== null)) return;
  throw new Blip2Error(
    'QUANT_INVALID',
    'No block of this checkpoint can be quantised: that takes a BLIP-2 language model.',
    {
      hint: errorText`Leave ${option('allowQuant')} out.`,
    },
  );
}
