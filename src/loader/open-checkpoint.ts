/**
 * Opens a checkpoint: its configuration, its index and the header of every shard, each checked against the others.
 * Weights are never read.
 */
import { isRepositoryName, type OpenOptions } from './hub/hub-settings.js';
import { exists } from './file/exists.js';
import type { Checkpoint } from './checkpoint/checkpoint.js';
import { openLocal } from './checkpoint/open-found.js';

/**
 * Opens a checkpoint: its configuration, and the names, dtypes, shapes and places of its tensors. No weight is read.
 * @param where a folder (a snapshot of the hub's cache too: symbolic links are followed), a `.safetensors` file, a
 *   `*.safetensors.index.json`, or the name of a model on the hub: `Salesforce/blip2-opt-2.7b`. What is on this machine
 *   wins over the hub, whose cache wins over the network.
 * @throws SafetensorsError for anything that is wrong with the folder, its index or a shard; Blip2Error `HUB_*` where the
 *   hub does not answer as it should.
 */
export async function openCheckpoint(where: string, options: OpenOptions = {}): Promise<Checkpoint> {
  if (isRepositoryName(where) && !(await exists(where))) {
    const { openHubCheckpoint } = await import('./hub/open-hub-checkpoint.js');
    return openHubCheckpoint(where, options);
  }
  return openLocal(where);
}
