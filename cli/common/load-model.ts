import { existsSync } from 'node:fs';
import {
  blip2Tensors,
  type CheckpointIdentity,
  DEFAULT_PRESET,
  parseBlip2Config,
  parseSize,
  PRESETS,
  type TensorTable,
} from '../../src/planner/index.js';
import type { Checkpoint } from '../../src/loader/index.js';
import { findPreset, SHORT_NAMES } from '../../src/model/presets.js';
import { didYouMean } from './closest.js';
import { hubOptions, type HubArgs } from './hub-flags.js';
import { usageError } from './main.js';

/** Of an index or a shard. */
const ADDRESS = /^https?:\/\//i;
/** `owner/name`; anything deeper is a path. */
const HUB_NAME = /^[\w.-]+\/[\w.-]+$/;

/** A model to plan: its tensors and configuration, from shard headers or from a preset. */
export interface ModelTable {
  readonly tensors: TensorTable;
  readonly config: unknown;
  readonly identity: CheckpointIdentity;
  /** null for a preset: it has no files. */
  readonly checkpoint: Checkpoint | null;
}

/**
 * Reads what a `[checkpoint]` argument names: a folder or file, the address of an index or file, a published model whose tensors follow from its config, or
 * any other model on the hub. Without an argument it is the default preset. A revision is always looked up.
 */
export async function loadModel(where: string = DEFAULT_PRESET, flags: HubArgs = {}): Promise<ModelTable> {
  const byAddress = ADDRESS.test(where);
  if (!byAddress && !existsSync(where)) {
    const preset = findPreset(where);
    if (preset !== undefined && flags.revision === undefined) return presetTable(preset);
    if (isSize(where)) {
      throw usageError(
        `${where} is a size, and stands where a checkpoint does`,
        'Repeat the flag for the next GPU: --vram 12G --vram 6G.',
      );
    }
    if (!HUB_NAME.test(where)) {
      throw usageError(
        `there is no checkpoint at ${where}, and no published BLIP-2 of that name`,
        `${didYouMean([where], SHORT_NAMES)}Name a folder, a model on the hub (owner/name), the address of an index, or one of ${SHORT_NAMES.join(', ')}.`,
      );
    }
  }
  // What a preset has no use for.
  const { openCheckpoint } = await import('../../src/loader/open-checkpoint.js');
  const { openAddress } = await import('../../src/loader/hub/open-address.js');
  const { checkpointFingerprint } = await import('../../src/loader/checkpoint/fingerprint.js');
  const checkpoint = await (byAddress ? openAddress : openCheckpoint)(where, hubOptions(flags));
  return {
    // What transformers loads takes room, whether the index lists it or not.
    tensors: new Map([...checkpoint.tensors, ...(checkpoint.unlisted ?? [])]),
    config: checkpoint.config,
    identity: {
      id: where,
      files: checkpoint.files.map((file) => file.name),
      fingerprint: checkpointFingerprint(checkpoint),
      ...(flags.revision === undefined || checkpoint.hub === undefined ? {} : { revision: flags.revision }),
    },
    checkpoint,
  };
}

function isSize(text: string): boolean {
  try {
    return parseSize(text) >= 0;
  } catch {
    return false;
  }
}

function presetTable(id: string): ModelTable {
  const preset = PRESETS.get(id);
  if (preset === undefined) throw new Error(`no preset ${id}`);
  const config = parseBlip2Config(preset.config);
  return {
    tensors: blip2Tensors(config, { dtype: 'F32', ownHead: preset.ownHead }),
    config: preset.config,
    identity: { id, files: [], fingerprint: null },
    checkpoint: null,
  };
}
