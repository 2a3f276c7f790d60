/**
 * What a machine's parts can do, as far as placement needs to know. Rates are what programs reach, not what data sheets
 * promise; every profile says where its numbers come from.
 */
import * as z from 'zod';
import { at } from '../../checked-access.js';
import { parseDocument } from '../../parse-document.js';
import type { ReadOnly } from '../../read-only.js';

const rate = z.number().positive();
const time = z.number().nonnegative();
const bytes = z.number().int().nonnegative();

/** For profiles that do not say: an estimate. Unpacking costs arithmetic, which slow memory hides and fast memory does not. */
export const GPU_QUANTIZED_BANDWIDTH = { int8: 0.7, int4: 0.6 } as const;
/** Measured with ONNX Runtime 1.30 (`accuracy_level` 4) on two AVX2 cores, against float32 weights of the same layers. */
export const HOST_QUANTIZED_BANDWIDTH = { int8: 0.6, int4: 0.55 } as const;

/**
 * Of profiles that do not say. Plans with what `blip2-plan --calibrate` measured were within 12 % of captions on an H200, of T5 in
 * int8 18 % (bench/gpu).
 */
export const MEASURED_ERROR = 1.2;

const errorFactor = z
  .number()
  .min(1)
  .default(MEASURED_ERROR)
  .describe(
    'How far off times may be that are priced with it: they take from 1 / errorFactor to errorFactor of what is predicted.',
  );

const quantizedBandwidth = z
  .strictObject({ int8: rate, int4: rate })
  .describe('What kernels for quantised weights reach of the memory bandwidth, one row at a time.');

/** What `packedRows` is where `blip2-run` has kernels of its own: CUDA cards of compute capability 8.0 and later. */
export const MOST_PACKED_ROWS = 96;

const flops = z.strictObject({ float16: rate, bfloat16: rate, float32: rate });

/** How an engine drives a GPU. */
const engineRates = z.strictObject({
  streamBytesPerSecond: rate.describe('Bytes per second of weights copied from host memory for a run.'),
  streamedLeafMs: time.describe('Milliseconds more for every module whose weights have to be copied first.'),
  contextBytes: bytes.describe(
    "Device memory that the driver and the engine's libraries take before any tensor exists; budgets count it on request.",
  ),
  workspaceBytes: bytes.describe(
    "Device memory that libraries take from the engine's own allocator while it runs: always within the budget.",
  ),
});

const blip2RunRates = engineRates.extend({
  leafMs: time.describe(
    'Milliseconds per module with weights that a run calls: its kernels begin one after the other.',
  ),
  recordedLeafMs: time
    .optional()
    .describe('The same where runs are recorded, which those of tokens are by blocks that stay. Default: leafMs.'),
  tokenFlopsPerSecond: rate
    .optional()
    .describe('Of the products of tokens, which have as many rows as there are sequences. Default: flopsPerSecond.'),
});

const transformersRates = engineRates.extend({
  launchMs: time.describe('Milliseconds of the host per kernel launched.'),
  moduleMs: time.describe('Milliseconds of the host per module called.'),
  hookMs: time.describe(
    "Milliseconds of the host more per module called where a map names more than one device: accelerate's hooks.",
  ),
});

export const gpuProfileSchema = z
  .strictObject({
    name: z.string(),
    memoryBytes: z.number().int().positive().optional(),
    memoryBytesPerSecond: rate,
    quantizedBandwidth: quantizedBandwidth.default(GPU_QUANTIZED_BANDWIDTH),
    packedRows: z
      .number()
      .int()
      .positive()
      .optional()
      .describe(
        'Rows of activations up to which blip2-run multiplies by quantised weights as they are stored; more are multiplied by ' +
          'floats that are made of them. Absent: 1.',
      ),
    flopsPerSecond: flops,
    link: z
      .strictObject({ bytesPerSecond: rate, latencyMs: time })
      .describe('Small copies between host and GPU: activations that cross, not weights.'),
    engines: z.strictObject({ 'blip2-run': blip2RunRates, transformers: transformersRates }),
    errorFactor,
    source: z.string(),
  })
  .meta({ id: 'GpuProfile' });

export const hostProfileSchema = z
  .strictObject({
    name: z.string(),
    memoryBytesPerSecond: rate,
    quantizedBandwidth: quantizedBandwidth.default(HOST_QUANTIZED_BANDWIDTH),
    flopsPerSecond: rate.describe('Float32 rate; half-precision weights are widened first.'),
    leafMs: time,
    diskBytesPerSecond: rate,
    errorFactor,
    source: z.string(),
  })
  .meta({ id: 'HostProfile' });

export type QuantizedBandwidth = ReadOnly<z.infer<typeof quantizedBandwidth>>;
/** What a GPU can do: bytes and FLOPs per second by dtype, its link to the host, and milliseconds of launches, per engine. */
export type GpuProfile = ReadOnly<z.infer<typeof gpuProfileSchema>>;
/** What the CPU and its memory can do: bytes and FLOPs per second, and milliseconds of a module. */
export type HostProfile = ReadOnly<z.infer<typeof hostProfileSchema>>;

/** A machine: one profile per GPU, in the order of its GPUs, and the host. */
export const machineProfileSchema = z.strictObject({
  schema: z.literal('blip2-device-map/machine-profile/1').optional(),
  gpus: z.array(gpuProfileSchema),
  host: hostProfileSchema,
});
/** What a machine can do: its host, and its GPUs in the order of their numbers. */
export type MachineProfile = ReadOnly<z.infer<typeof machineProfileSchema>>;

/**
 * Profiles go to GPUs in the order of their numbers; the last is that of all others.
 * @throws RangeError where the machine has none
 */
export function gpuAt({ gpus }: MachineProfile, index: number): GpuProfile {
  return at(gpus, Math.min(index, gpus.length - 1));
}

/**
 * Reads a profile of a machine from parsed JSON.
 * @throws Blip2Error `PROFILE_INVALID` naming every field that is wrong.
 */
export function parseMachineProfile(json: unknown): MachineProfile {
  return parseDocument(machineProfileSchema, json, {
    code: 'PROFILE_INVALID',
    what: 'The machine profile is not usable',
    hint: 'Profiles of known cards are in KNOWN_GPUS of blip2-device-map/planner: copy one and change its numbers.',
  });
}
