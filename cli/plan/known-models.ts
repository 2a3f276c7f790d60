/** What is known of a model that is not BLIP-2, and what to say where nothing is. */
import { Blip2Error, type TensorInfo } from '../../src/planner/index.js';
import { loadedModel, loadModelTable, type ModelTable } from '../../src/planner/models/index.js';
import { whyUnknown } from '../../src/planner/models/why-unknown.js';
import { architecturesOf, asConfig, stringOf } from '../../src/planner/models/model-config.js';

export interface KnownModels {
  readonly models: ModelTable;
  readonly warnings: readonly string[];
}

/** @throws Blip2Error `MODEL_UNKNOWN` where the map is asked for in the names of a class that is not known */
export async function knownModels(
  tensors: ReadonlyMap<string, TensorInfo>,
  config: unknown,
  { engine, names }: { readonly engine?: string | undefined; readonly names?: string | undefined },
): Promise<KnownModels> {
  const models = await loadModelTable();
  if (loadedModel(models, config, tensors) !== null) return { models, warnings: [] };
  const why = isAdapter(tensors)
    ? `An adapter without the model that it is for is not in the table of transformers ${models.version}'s models`
    : whyUnknown(models, config, nameOf(config));
  if (engine === 'transformers' && names !== 'file') {
    throw new Blip2Error('MODEL_UNKNOWN', `${why}, so its names there are not known.`, {
      hint: "Use --names file for a map in the file's own names, which transformers may load otherwise.",
    });
  }
  return { models, warnings: [`${why}: planned by the names in its files`] };
}

/** What PEFT saves of LoRA, whose tensors are a small part of what is loaded with them. */
function isAdapter(tensors: ReadonlyMap<string, TensorInfo>): boolean {
  return tensors.size > 0 && [...tensors.keys()].every((name) => /\.lora_|^base_model\.model\./.test(name));
}

function nameOf(json: unknown): string {
  const config = asConfig(json);
  const architecture = architecturesOf(config)[0] ?? stringOf(config, '_class_name') ?? undefined;
  const type = stringOf(config, 'model_type');
  if (architecture !== undefined)
    return `${architecture}${config['auto_map'] === undefined ? '' : ' (code of its own)'}`;
  return type === null ? 'A checkpoint without config.json' : `Model type ${type}`;
}
