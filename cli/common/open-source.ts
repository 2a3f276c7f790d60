import { existsSync } from 'node:fs';
import { type Checkpoint, openCheckpoint } from '../../src/loader/index.js';
import { hubSettings } from '../../src/loader/hub/hub-settings.js';
import { findPreset, SHORT_NAMES } from '../../src/model/presets.js';
import { closest } from './closest.js';
import { hubOptions, type HubArgs } from './hub-flags.js';
import { usageError } from './main.js';
import { RateLine } from './rate-line.js';

/** Opens a checkpoint and has its weights on this machine: those of a model on the hub are downloaded into its cache. */
export async function openSource(where: string, flags: HubArgs, signal: AbortSignal): Promise<Checkpoint> {
  const checkpoint = await openNamed(where, flags, signal);
  if (checkpoint.hub === undefined) return checkpoint;
  const { downloadTensors } = await import('../../src/loader/hub/open-hub-checkpoint.js');
  const rate = new RateLine(flags.quiet !== true);
  return downloadTensors(checkpoint, checkpoint.tensors.keys(), {
    ...hubOptions(flags, signal),
    onProgress: (done, total) => rate.update(done, total),
  }).finally(() => rate.clear());
}

/**
 * Opens a checkpoint without its weights.
 * @throws Blip2Error `USAGE` for the short name of a published model, which says nothing of where its files are
 */
export async function openNamed(where: string, flags: HubArgs, signal?: AbortSignal): Promise<Checkpoint> {
  if (!where.includes('/') && !existsSync(where)) await refuseShortName(where);
  return openCheckpoint(where, hubOptions(flags, signal));
}

async function refuseShortName(where: string): Promise<void> {
  const id = findPreset(where) ?? findPreset(closest(where, SHORT_NAMES) ?? '');
  if (id === undefined) return;
  const { endpoint, cacheFolder } = await hubSettings({});
  throw usageError(
    `there is no folder or file ${where}`,
    `Name a folder that holds the checkpoint, or ${id}: its files then come from ${endpoint}, once, into ${cacheFolder}.`,
  );
}
