/** The bytes a block takes in a place, device by device: one definition for the solver, the plan and its explanation. */
import { deviceOfPlace, type Place } from './place.js';
import { hostWidening } from './price-list.js';
import { formOf, gpuCacheBytes, levelOf, streamedBytes, type ProfileBlock } from '../profile/model-profile.js';
import type { Engine } from '../map/engine.js';
import type { Device } from '../map/device-map.js';

/** Bytes on one device. The last two count only while the block runs. */
export interface Charge {
  readonly device: Device;
  /** Loaded weights whose home is here: over all devices they add up to the model. */
  readonly weightBytes: number;
  /** What a float32 copy takes beyond `weightBytes`, on a CPU without half-precision kernels. */
  readonly conversionBytes: number;
  readonly cacheBytes: number;
  readonly bufferBytes: number;
  readonly activationBytes: number;
  /** Room for weights on their way through. */
  readonly stagingBytes: number;
}

/** A charge of the parts that are not zero. */
function chargeOn(device: Device, parts: Partial<Omit<Charge, 'device'>>): Charge {
  const { weightBytes = 0, conversionBytes = 0, cacheBytes = 0, bufferBytes = 0 } = parts;
  const { activationBytes = 0, stagingBytes = 0 } = parts;
  return { device, weightBytes, conversionBytes, cacheBytes, bufferBytes, activationBytes, stagingBytes };
}

export function chargesOf(whole: ProfileBlock, place: Place, engine: Engine): Charge[] {
  const block = formOf(whole, place.scheme);
  const { weightBytes, bufferBytes } = block;
  const cacheBytes = block.cachesApart === true ? 0 : gpuCacheBytes(block);
  const activationBytes = block.activationElements * block.elementBytes;
  switch (place.execution) {
    case 'resident': {
      const home = weightsOn(whole, place);
      const running = { cacheBytes, bufferBytes, activationBytes, stagingBytes: block.stagedBesideBytes ?? 0 };
      if (home === place.gpu) return [chargeOn(home, { weightBytes, ...running })];
      return [chargeOn(place.gpu, running), chargeOn(home, { weightBytes })];
    }
    case 'streamed': {
      const stagingBytes = Math.max(stagedBytes(block, engine), block.stagedBesideBytes ?? 0);
      const keptBytes = levelOf(block.kept, place.level).bytes;
      const withWaiting = activationBytes + block.waitingBytes;
      return [
        chargeOn(place.gpu, {
          weightBytes: keptBytes,
          cacheBytes,
          bufferBytes: bufferBytes + (block.savedBufferBytes ?? 0),
          activationBytes: withWaiting,
          stagingBytes,
        }),
        chargeOn(place.store, { weightBytes: weightBytes - keptBytes }),
        ...(place.store === 'disk' ? [chargeOn('cpu', { stagingBytes })] : []),
      ];
    }
    case 'host': {
      // The CPU engine computes in float32, so caches and activations are float32 there as well.
      const widening = engine === 'blip2-run' ? 4 / block.elementBytes : 1;
      const running = {
        cacheBytes: block.cacheElements * block.elementBytes * widening,
        bufferBytes,
        activationBytes: activationBytes * widening,
      };
      if (place.store === 'cpu') {
        const conversionBytes = engine === 'blip2-run' ? block.float32Bytes - weightBytes : 0;
        return [chargeOn('cpu', { ...running, weightBytes, conversionBytes })];
      }
      const read = engine === 'transformers' ? block.largestLeafBytes : streamedBytes(block);
      const stagingBytes = Math.ceil(read * hostWidening(block, engine));
      return [chargeOn('disk', { weightBytes }), chargeOn('cpu', { ...running, stagingBytes })];
    }
  }
}

/** The device whose memory a block's weights take. */
export function weightsOn(block: ProfileBlock, place: Place): Device {
  const looksUp = place.execution === 'resident' && formOf(block, place.scheme).lookUp === 'rows';
  return looksUp ? 'cpu' : deviceOfPlace(place);
}

/** Adds up while the model is loaded. */
export function standingBytes(charge: Charge): number {
  return charge.weightBytes + charge.conversionBytes + charge.cacheBytes + charge.bufferBytes;
}

/** Counts only while the block runs: the largest of a device's blocks is its peak. */
export function passingBytes(charge: Charge): number {
  return charge.activationBytes + charge.stagingBytes;
}

/**
 * transformers copies module by module. `blip2-run` has two buffers, so that one block is copied while another runs; what
 * is streamed in one piece fills both.
 */
function stagedBytes(block: ProfileBlock, engine: Engine): number {
  if (engine === 'transformers') return block.largestLeafBytes;
  const own = streamedBytes(block);
  return block.streamedWithBytes === null ? 2 * own : 2 * Math.ceil((own + block.streamedWithBytes) / 2);
}
