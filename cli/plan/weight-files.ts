import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { asConfig, stringOf } from '../../src/planner/models/model-config.js';
import { openCheckpoint, type Checkpoint } from '../../src/loader/index.js';
import { Blip2Error, type TensorInfo, type TensorTable } from '../../src/planner/index.js';

/** Where a file is not one of several, its name with a variant or without. */
const FOUND = /^model(\.[^.]+)?\.safetensors$/;
const INDEX = 'model.safetensors.index.json';
const ADAPTER = 'adapter_model.safetensors';
const PICKLED = 'adapter_model.bin';

/**
 * What to know where `from_pretrained` would load other weights than were read, or none (transformers 5.24): it goes by names, and by
 * `transformers_weights` of config.json before all.
 */
export function weightFileWarnings({ folder, config, files, hub }: Checkpoint): string[] {
  const named = stringOf(asConfig(config), 'transformers_weights');
  const [only] = files.map(({ name }) => name);
  if (only === undefined || config === null) return [];
  if (named !== null) {
    const isRead = files.length === 1 ? named === only : named.endsWith('.index.json');
    return isRead
      ? []
      : [
          `transformers loads ${named}, which config.json names as transformers_weights; what was read here is ${only}.`,
        ];
  }
  const isIndexed = hub !== undefined || existsSync(join(folder, INDEX));
  if (files.length > 1 || FOUND.test(only) || isIndexed) return [];
  return [
    `transformers looks for model.safetensors and finds no ${only}: rename it, or add "transformers_weights": ${JSON.stringify(only)} to config.json.`,
  ];
}

/** What from_pretrained loads beside a model's own weights where PEFT is installed. */
export interface AdapterBeside {
  /** Names as the loaded model has them. */
  readonly tensors: TensorTable;
  readonly warnings: readonly string[];
}

/** What PEFT has around a model. */
const WRAPPED = /^base_model\.model\./;

/**
 * The adapter in the same folder, which is loaded upon the model, in its dtype and where its modules are (transformers 5.24, PEFT 0.21). One that
 * cannot be read stops from_pretrained where PEFT is installed, and is not looked at where it is not.
 */
export async function adapterBeside({ folder, hub }: Checkpoint): Promise<AdapterBeside> {
  if (hub !== undefined || !existsSync(join(folder, 'adapter_config.json')))
    return { tensors: new Map(), warnings: [] };
  const path = join(folder, ADAPTER);
  const isThere = existsSync(path);
  const opened = isThere ? await openCheckpoint(path).catch(unreadable) : null;
  const isUnreadable = opened instanceof Blip2Error;
  if (isUnreadable || (!isThere && !existsSync(join(folder, PICKLED)))) {
    const why = isUnreadable ? `cannot be read (${opened.message})` : `is not there (${ADAPTER})`;
    return {
      tensors: new Map(),
      warnings: [
        `The adapter of adapter_config.json ${why}: where PEFT is installed, from_pretrained fails on it; elsewhere it is not looked at, ` +
          'and this plan does not count it. Remove its files, or fetch them again.',
      ],
    };
  }
  const stored = opened?.tensors ?? new Map<string, TensorInfo>();
  const tensors = new Map([...stored].map(([name, info]) => [name.replace(WRAPPED, ''), info]));
  const counted = stored.size === 0 ? 'this plan does not count' : 'this plan counts where its modules run';
  return {
    tensors,
    warnings: [
      `adapter_config.json is beside the weights: where PEFT is installed, from_pretrained loads that adapter upon them, which ${counted}. ` +
        'Modules on disk lose it without an error: merge it first (merge_and_unload of PEFT), or keep the disk out.',
    ],
  };
}

function unreadable(error: unknown): Blip2Error {
  if (error instanceof Blip2Error) return error;
  throw error;
}
