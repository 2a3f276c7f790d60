/**
 * The choice between plans that are close within their error. Each device's time is off by its own factor at most, so the plan
 * whose worst case is best is the fastest by prices at their worst: of two plans whose ranges do not overlap it is the better
 * one, of two whose ranges do, the one with the better end. Divided by the least factor, prices of a single device, or of devices
 * that are known equally well, are what is predicted.
 */
import { gpuAt, type GpuProfile, type HostProfile, type MachineProfile } from './device-profile.js';

/** The machine with devices as slow as they may be, in units of what is known best. */
export function atItsWorst(machine: MachineProfile, gpuIds: readonly number[]): MachineProfile {
  const { gpus, host } = machine;
  const factors = [...gpuIds.map((_, i) => gpuAt(machine, i)?.errorFactor ?? host.errorFactor), host.errorFactor];
  const least = Math.min(...factors);
  if (factors.every((factor) => factor === least)) return machine;
  return {
    ...machine,
    gpus: gpus.map((gpu) => slowedGpu(gpu, Math.max(1, gpu.errorFactor / least))),
    host: slowedHost(host, host.errorFactor / least),
  };
}

function slowedGpu(gpu: GpuProfile, times: number): GpuProfile {
  const { flopsPerSecond, link, engines } = gpu;
  const { 'blip2-run': run, transformers } = engines;
  return {
    ...gpu,
    memoryBytesPerSecond: gpu.memoryBytesPerSecond / times,
    flopsPerSecond: {
      float16: flopsPerSecond.float16 / times,
      bfloat16: flopsPerSecond.bfloat16 / times,
      float32: flopsPerSecond.float32 / times,
    },
    link: { bytesPerSecond: link.bytesPerSecond / times, latencyMs: link.latencyMs * times },
    engines: {
      'blip2-run': {
        ...run,
        streamBytesPerSecond: run.streamBytesPerSecond / times,
        streamedLeafMs: run.streamedLeafMs * times,
        leafMs: run.leafMs * times,
        ...(run.recordedLeafMs === undefined ? {} : { recordedLeafMs: run.recordedLeafMs * times }),
        ...(run.tokenFlopsPerSecond === undefined ? {} : { tokenFlopsPerSecond: run.tokenFlopsPerSecond / times }),
      },
      transformers: {
        ...transformers,
        streamBytesPerSecond: transformers.streamBytesPerSecond / times,
        streamedLeafMs: transformers.streamedLeafMs * times,
        launchMs: transformers.launchMs * times,
        moduleMs: transformers.moduleMs * times,
        hookMs: transformers.hookMs * times,
      },
    },
  };
}

function slowedHost(host: HostProfile, times: number): HostProfile {
  return {
    ...host,
    memoryBytesPerSecond: host.memoryBytesPerSecond / times,
    flopsPerSecond: host.flopsPerSecond / times,
    leafMs: host.leafMs * times,
    diskBytesPerSecond: host.diskBytesPerSecond / times,
  };
}
