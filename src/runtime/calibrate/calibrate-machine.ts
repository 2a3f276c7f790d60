/** Measures this machine with the engine that runs captions on it. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GpuProfile, MachineProfile } from '../../planner/price/device-profile.js';
import { measureHost } from './measure-host.js';

export interface CalibrateOptions {
  /** Where 839 MB are written for a while: the disk that is measured. */
  readonly cacheFolder: string;
  /** Called before each part with its name. */
  readonly onPart?: (part: string) => void;
}

/**
 * Takes 5 to 20 seconds: the host's memory, arithmetic, cost of a node and disk; of each CUDA card the same and its link.
 * Other programs that run meanwhile make it slower than it is.
 */
export async function calibrateMachine({
  cacheFolder,
  onPart = () => undefined,
}: CalibrateOptions): Promise<MachineProfile> {
  const source = `measured with ONNX Runtime on ${new Date().toISOString().slice(0, 10)} (blip2-plan --calibrate)`;
  await mkdir(cacheFolder, { recursive: true });
  const file = join(cacheFolder, `calibration-${process.pid}.bin`);
  const gpus = await measureCards(source, onPart);
  onPart('the CPU, its memory and its disk');
  try {
    const host = await measureHost(file, source, gpus.length > 0);
    return { schema: 'blip2-device-map/machine-profile/1', gpus, host };
  } finally {
    await rm(file, { force: true });
  }
}

async function measureCards(source: string, onPart: (part: string) => void): Promise<GpuProfile[]> {
  // Only here, because these load native libraries.
  const { cudaAnswer } = await import('../provider/cuda-provider.js');
  const answer = cudaAnswer();
  if (!answer.works) return [];
  const { cudaDevice } = await import('../provider/engine/device/cuda-device.js');
  const { measureGpu } = await import('./measure-gpu.js');
  const profiles: GpuProfile[] = [];
  for (const [number, card] of answer.devices.entries()) {
    onPart(card.name);
    const device = cudaDevice(number);
    using _ = device.memory;
    profiles.push(await measureGpu(device, card, source));
  }
  return profiles;
}
