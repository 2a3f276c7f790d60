/**
 * The choice between plans that are close within their error. Each device's time is off by its own factor at most, so the plan
 * whose worst case is best is the fastest by prices at their worst: of two plans whose ranges do not overlap it is the better
 * one, of two whose ranges do, the one with the better end. Divided by the least factor, prices of a single device, or of devices
 * that are known equally well, are what is predicted.
 */
import { gpuAt, type GpuProfile, type MachineProfile } from './device-profile.js';

/** The machine with devices as slow as they may be, in units of what is known best. */
export function atItsWorst(machine: MachineProfile, gpuIds: readonly number[]): MachineProfile {
  const { gpus, host } = machine;
  const factors = [...gpuIds.map((_, i) => gpuAt(machine, i).errorFactor), host.errorFactor];
  const least = Math.min(...factors);
  if (factors.every((factor) => factor === least)) return machine;
  return {
    ...machine,
    gpus: gpus.map((gpu) => slowedGpu(gpu, Math.max(1, gpu.errorFactor / least))),
    host: slowed(host, host.errorFactor / least),
  };
}

function slowedGpu(gpu: GpuProfile, times: number): GpuProfile {
  const { float16, bfloat16, float32 } = gpu.flopsPerSecond;
  const { 'blip2-run': run, transformers } = gpu.engines;
  return {
    ...slowed(gpu, times),
    flopsPerSecond: { float16: float16 / times, bfloat16: bfloat16 / times, float32: float32 / times },
    link: slowed(gpu.link, times),
    engines: { 'blip2-run': slowed(run, times), transformers: slowed(transformers, times) },
  };
}

/** The rates among the numbers of a profile divided and the times multiplied, as their names say what they are. */
function slowed<T extends object>(profile: T, times: number): T {
  const scaled = Object.entries(profile).map(([name, value]: [string, unknown]) => {
    if (typeof value !== 'number') return [name, value];
    return [name, name.endsWith('PerSecond') ? value / times : name.endsWith('Ms') ? value * times : value];
  });
  return Object.fromEntries(scaled) as T;
}
