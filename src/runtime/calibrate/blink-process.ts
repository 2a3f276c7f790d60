/** The process that measures in a blink: a driver's context and its libraries' memory go with it. It answers one message. */
import type { GpuProfile, HostProfile } from '../../planner/price/device-profile.js';
import type { EngineDevice } from '../session/gpu/device/engine-device.js';
import { blinkHost } from './blink-host.js';
import { contextBytes } from './context-bytes.js';
import { BLINK } from './timing.js';

export interface BlinkRequest {
  /** What the profiles say of where they come from. */
  readonly source: string;
  readonly cards: readonly { readonly gpu: number; readonly name: string }[];
  /** Whether the host is measured, and with threads that wait by spinning. */
  readonly host: { readonly spins: boolean } | null;
}

export type BlinkAnswer =
  | {
      /** In the order of the request. */
      readonly cards: readonly GpuProfile[];
      readonly host: HostProfile | null;
      /** Milliseconds until the provider had started, and of the measurement after it. */
      readonly startingMs: number;
      readonly measuringMs: number;
    }
  | { readonly failure: string };

async function blink({ source, cards, host }: BlinkRequest): Promise<BlinkAnswer> {
  const began = performance.now();
  const devices = await started(cards.map(({ gpu }) => gpu));
  const start = performance.now();
  const profiles: GpuProfile[] = [];
  for (const [i, { device, ofContext }] of devices.entries()) {
    const { measureGpu } = await import('./measure-gpu.js');
    const memoryBytes = device.memory.room()?.totalBytes ?? null;
    const card = { name: cards[i]?.name ?? '', memoryBytes, contextBytes: ofContext };
    profiles.push(await measureGpu(device, card, source, BLINK));
  }
  return {
    cards: profiles,
    host: host === null ? null : await blinkHost(source, host.spins),
    startingMs: Math.round(start - began),
    measuringMs: Math.round(performance.now() - start),
  };
}

interface Started {
  readonly device: EngineDevice;
  readonly ofContext: number | null;
}

/** Each with a session that has been there: to load the provider's libraries takes longer than all measurements. */
async function started(gpus: readonly number[]): Promise<Started[]> {
  if (gpus.length === 0) return [];
  const { freeCudaBytes, takeCudaContext } = await import('../device/cuda-provider.js');
  const { cudaDevice } = await import('../session/gpu/device/cuda-device.js');
  const { OrtSession } = await import('../device/ort/ort-session.js');
  const { identityModel } = await import('../device/ort/identity-model.js');
  const devices: Started[] = [];
  for (const gpu of gpus) {
    const ofContext = await contextBytes(
      () => freeCudaBytes(gpu),
      () => takeCudaContext(gpu),
    );
    devices.push({ device: cudaDevice(gpu), ofContext });
  }
  const options = { isRecorded: false, roundsFactors: false, sharesArena: false };
  for (const { device } of devices) new OrtSession(identityModel(), device.sessionOptions(options))[Symbol.dispose]();
  return devices;
}

process.once('message', (request: BlinkRequest) => {
  void blink(request)
    .catch((error: unknown): BlinkAnswer => ({ failure: error instanceof Error ? error.message : String(error) }))
    // Without waiting for what the driver would do at an orderly end.
    .then((answer) => process.send?.(answer, () => process.exit()));
});
