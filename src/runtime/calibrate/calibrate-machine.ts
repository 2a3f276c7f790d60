/** Measures this machine with the engine that runs captions on it. */
import { join } from 'node:path';
import { makeFolder } from '../../loader/file/make-folder.js';
import { removeAbandonedFiles, TemporaryFile } from '../../loader/write/temporary-file.js';
import type { MachineProfile } from '../../planner/price/device-profile.js';
import { measureCards } from './measure-cards.js';
import { measureHost } from './measure-host.js';

export interface CalibrateOptions {
  /** Where 839 MB are written for a while: the disk that is measured. */
  readonly cacheFolder: string;
  /** Called before each part with its name. */
  readonly onPart?: (part: string) => void;
  /** Ends the measurement, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Takes 5 to 20 seconds: the host's memory, arithmetic, cost of a node and disk; of each CUDA card the same and its link.
 * Other programs that run meanwhile make it slower than it is.
 */
export async function calibrateMachine({
  cacheFolder,
  onPart = () => undefined,
  signal = new AbortController().signal,
}: CalibrateOptions): Promise<MachineProfile> {
  const source = `measured with ONNX Runtime on ${new Date().toISOString().slice(0, 10)} (blip2-plan calibrate)`;
  await makeFolder(cacheFolder);
  await removeAbandonedFiles(cacheFolder);
  await using file = await TemporaryFile.beside(join(cacheFolder, 'calibration'));
  const gpus = await measureCards({ source, onPart, signal });
  onPart('the CPU, its memory and its disk');
  const host = await measureHost(file.path, source, { besideGpu: gpus.length > 0, signal });
  return { schema: 'blip2-device-map/machine-profile/1', gpus, host };
}
