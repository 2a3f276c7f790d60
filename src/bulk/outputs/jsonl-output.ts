import type { InputList } from '../run/input-list.js';
import type { RunFolder } from '../run/run-folder.js';
import type { ShardOutput } from '../run/shard-output.js';
import { RECORD_FEATURES, stateTypes } from './data-set-card.js';

const FEATURES = [...RECORD_FEATURES, { name: 'truncated', dtype: 'bool' }, { name: 'error', dtype: 'string' }];

/** A JSONL file per shard: its records are what is asked for. */
export class JsonlOutput implements ShardOutput {
  readonly #folder: RunFolder;

  constructor(folder: RunFolder) {
    this.#folder = folder;
  }

  finish(list: InputList): Promise<void> {
    return stateTypes(this.#folder, list, (records) => records, FEATURES);
  }
}
