import { existsSync } from 'node:fs';
import { Blip2Error } from '../../src/planner/index.js';
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
 * The same, with the small files beside its weights, of which the cache may have those that another program asked for: says
 * where it cannot ask the hub.
 */
export async function openToCopy(where: string, flags: HubArgs, signal: AbortSignal): Promise<Checkpoint> {
  const checkpoint = await openSource(where, flags, signal);
  const options = hubOptions(flags, signal);
  if (checkpoint.hub === undefined || (await hubSettings(options)).offline) return checkpoint;
  const { downloadSideFiles } = await import('../../src/loader/hub/open-hub-checkpoint.js');
  try {
    await downloadSideFiles(checkpoint, options);
  } catch (error) {
    if (!(error instanceof Blip2Error) || !error.code.startsWith('HUB_')) throw error;
    if (flags.quiet !== true)
      process.stderr.write(`warning: files beside the weights that the cache lacks are not copied: ${error.message}\n`);
  }
  return checkpoint;
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
