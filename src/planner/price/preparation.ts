/** What a start costs beside loading. Latencies are of a caption, so this is said and not added to them. */
import { QUANT_BITS, QUANT_BLOCK_SIZE, type QuantScheme } from '../../tensor/quantized.js';
import { tensorBytes, type TensorTable } from '../../tensor/tensor-info.js';
import { formatSize } from '../../size.js';
import type { Engine } from '../map/engine.js';
import { formOf, type ModelProfile } from '../profile/model-profile.js';
import type { Placed } from './place.js';

/**
 * Seconds per 10^9 weights that ONNX Runtime 1.30 takes to bring quantised weights into the order that its CPU kernels read:
 * measured on one AVX2 thread (`bench/cpu`).
 */
const REARRANGING_SECONDS: Readonly<Record<QuantScheme, number>> = { int8: 4.5, int4: 2.7 };

/**
 * Bytes per second of float32 that are made of half-precision weights and written into the cache. An estimate: starts of opt-2.7b
 * in 4 and 2 GiB took longer on the machine of an H100 where 28 and 38 blocks ran on the host, by as much as 1.3 to 1.8 GB/s come to.
 */
const CONVERTED_BYTES_PER_SECOND = 1.5e9;

/** Less is no time to speak of. */
const LEAST_SECONDS = 0.05;

export interface Preparation {
  /** Of a first start. */
  readonly seconds: number;
  /** Sentences, where the CPU of `blip2-run` has weights to make ready. */
  readonly notes: readonly string[];
}

/** Block -> bytes of float32 to make of weights that are stored in half precision, where the CPU is to run it. */
export function convertedBytes({ engine, family, blocks }: ModelProfile, tensors: TensorTable): Map<string, number> {
  if (engine !== 'blip2-run' || family === 'generic') return new Map();
  const bytesOf = (name: string): number => {
    const info = tensors.get(name);
    return info?.dtype === 'F16' || info?.dtype === 'BF16' ? tensorBytes(info, 'F32') : 0;
  };
  return new Map(blocks.map(({ name, tensors: own }) => [name, own.reduce((sum, each) => sum + bytesOf(each), 0)]));
}

/** @param converted what `convertedBytes` says */
export function preparationOf(
  engine: Engine,
  placed: readonly Placed[],
  converted: ReadonlyMap<string, number>,
): Preparation {
  if (engine === 'transformers') return { seconds: 0, notes: [] };
  let [weights, rearranging, convertedTotal] = [0, 0, 0];
  for (const { block, place } of placed) {
    if (place.execution !== 'host') continue;
    const { scheme, weightBytes } = formOf(block, place.scheme);
    if (scheme === null) {
      convertedTotal += converted.get(block.name) ?? 0;
      continue;
    }
    const billions = weightBytes / bytesPerWeight(scheme) / 1e9;
    weights += billions;
    rearranging += billions * REARRANGING_SECONDS[scheme];
  }
  const converting = convertedTotal / CONVERTED_BYTES_PER_SECOND;
  return {
    seconds: rearranging + converting,
    notes: [
      ...(rearranging < LEAST_SECONDS
        ? []
        : [
            `Every start takes about ${rearranging.toFixed(1)} s more, in which the CPU rearranges ${weights.toFixed(2)} * 10^9 quantised weights: no part of the predicted latency.`,
          ]),
      ...(converting < LEAST_SECONDS
        ? []
        : [
            `The first start takes about ${converting.toFixed(1)} s more, in which ${formatSize(convertedTotal)} of float32 copies are made for the CPU and kept: no part of the predicted latency.`,
          ]),
    ],
  };
}

/** An integer and its part of a float16 scale. */
export function bytesPerWeight(scheme: QuantScheme): number {
  return QUANT_BITS[scheme] / 8 + 2 / QUANT_BLOCK_SIZE[scheme];
}
