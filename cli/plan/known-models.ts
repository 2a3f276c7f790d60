/** What is known of a model that is not BLIP-2, and what to say where nothing is. */
import { usageError } from '../common/main.js';
import { Blip2Error, type TensorTable } from '../../src/planner/index.js';
import { loadedModel, loadModelTable, type ModelTable } from '../../src/planner/models/index.js';
import { whyUnknown } from '../../src/planner/models/why-unknown.js';
import { architecturesOf, asConfig, stringOf } from '../../src/planner/models/model-config.js';

export interface KnownModels {
  readonly models: ModelTable;
  readonly warnings: readonly string[];
}

interface KnownModelArgs {
  readonly engine?: string | undefined;
  readonly names?: string | undefined;
  /** How many there are to plan for. */
  readonly gpus?: number;
}

/** As timm publishes them, and as transformers saves them. */
function isOfTimm(config: unknown): boolean {
  const described = asConfig(config);
  const isPublished =
    stringOf(described, 'architecture') !== null && Object.keys(asConfig(described['pretrained_cfg'])).length > 0;
  return isPublished || stringOf(described, 'model_type') === 'timm_wrapper';
}

/** @throws Blip2Error `USAGE` for a model of timm on several GPUs; `MODEL_UNKNOWN` where the map is asked for in the names of a class that is not known */
export async function knownModels(
  tensors: TensorTable,
  config: unknown,
  { engine, names, gpus = 0 }: KnownModelArgs,
): Promise<KnownModels> {
  const models = await loadModelTable();
  if (gpus > 1 && isOfTimm(config) && engine !== 'blip2-run') {
    throw usageError(
      `This is a model of timm, which transformers runs by methods that no hook is on: on ${gpus} GPUs it fails with tensors on two devices.`,
      'Plan it for one GPU: give one --vram.',
    );
  }
  if (loadedModel(models, config, tensors) !== null) return { models, warnings: [] };
  const { why, hint, isOther } = whatItIs(tensors, config, models);
  if (engine === 'transformers' && names !== 'file')
    throw new Blip2Error('MODEL_UNKNOWN', `${why}, so its names there are not known.`, { hint });
  return { models, warnings: [`${why}: planned by the names in its files${isOther ? `. ${hint}` : ''}`] };
}

interface Unknown {
  readonly why: string;
  readonly hint: string;
  /** Whether something else is to be planned, so that the hint is for whoever plans this. */
  readonly isOther: boolean;
}

function whatItIs(tensors: TensorTable, config: unknown, models: ModelTable): Unknown {
  const names = [...tensors.keys()];
  if (names.some((name) => PEFT.test(name) && name.includes('.base_layer.'))) {
    return {
      why: 'The files hold a model inside PEFT, whose tensors have other names there than transformers looks for',
      hint: 'Load it with PEFT, and save what merge_and_unload() gives.',
      isOther: true,
    };
  }
  if (names.length > 0 && names.every((name) => PEFT.test(name))) {
    return {
      why: 'The files hold an adapter without the model that it is for',
      hint: 'Give the model that adapter_config.json calls base_model_name_or_path: an adapter adds little to it.',
      isOther: true,
    };
  }
  const prefix = prefixOf(tensors, config, models);
  if (prefix !== null) {
    return {
      why: `The tensors' names begin with "${prefix}", by which transformers finds none of them`,
      hint: `Take it away with \`blip2-shard rename CHECKPOINT OUT --prefix ${prefix}=\`.`,
      isOther: true,
    };
  }
  const isOfDiffusers = stringOf(asConfig(config), '_class_name') !== null;
  return {
    why: whyUnknown(models, config, nameOf(config)),
    hint: `Use --names file for a map in the file's own names, ${isOfDiffusers ? 'which are those that diffusers takes' : 'which transformers may load otherwise'}.`,
    isOther: false,
  };
}

/** What PEFT saves, of LoRA mostly: a small part of what is loaded with them. */
const PEFT = /\.lora_|^base_model\.model\./;

/** What torch's wrappers (`module.`, `_orig_mod.`) and trainers put before the names of a model that is known without. */
function prefixOf(tensors: TensorTable, config: unknown, models: ModelTable): string | null {
  const [first = ''] = tensors.keys();
  const prefix = first.slice(0, first.indexOf('.') + 1);
  const rows = [...tensors];
  if (prefix === '' || !rows.every(([name]) => name.startsWith(prefix))) return null;
  const within = new Map(rows.map(([name, info]) => [name.slice(prefix.length), info]));
  return loadedModel(models, config, within) === null ? null : prefix;
}

function nameOf(json: unknown): string {
  const config = asConfig(json);
  const architecture = architecturesOf(config)[0] ?? stringOf(config, '_class_name') ?? undefined;
  const type = stringOf(config, 'model_type');
  if (architecture !== undefined)
    return `${architecture}${config['auto_map'] === undefined ? '' : ' (code of its own)'}`;
  if (type !== null) return `Model type ${type}`;
  return json === null
    ? 'A checkpoint without config.json'
    : 'A model whose config.json has neither architectures nor model_type';
}
