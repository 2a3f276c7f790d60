import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { formatSize } from '../../src/planner/index.js';
import { asConfig, stringOf } from '../../src/planner/models/model-config.js';
import type { Checkpoint } from '../../src/loader/index.js';

/** Where a file is not one of several, its name with a variant or without. */
const FOUND = /^model(\.[^.]+)?\.safetensors$/;
const INDEX = 'model.safetensors.index.json';
const ADAPTER = 'adapter_model.safetensors';

/**
 * What to know where `from_pretrained` would load other weights than were read, or none (transformers 5.24): it goes by names, and by
 * `transformers_weights` of config.json before all.
 */
export function weightFileWarnings(checkpoint: Checkpoint): string[] {
  return [...wrongNames(checkpoint), ...adapterBeside(checkpoint)];
}

/** With PEFT an adapter in the same folder is loaded upon the model. */
function adapterBeside({ folder, hub }: Checkpoint): string[] {
  if (hub !== undefined || !existsSync(join(folder, 'adapter_config.json'))) return [];
  const weights = statSync(join(folder, ADAPTER), { throwIfNoEntry: false });
  const size = weights === undefined ? '' : ` (${formatSize(weights.size)} as stored)`;
  return [
    `adapter_config.json is beside the weights: where PEFT is installed, from_pretrained loads that adapter${size} upon them, which this plan does not count. ` +
      'Leave room for it with --reserve, or merge it (merge_and_unload of PEFT).',
  ];
}

function wrongNames({ folder, config, files, hub }: Checkpoint): string[] {
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
