/**
 * The whole plan as a JSON document. Same input, same bytes: nothing in it depends on when or how fast it was made. The schema
 * is its description: types are inferred from it, and `schema/plan-1.schema.json` and the reference are made of it.
 */
import * as z from 'zod';
import { parseDocument } from '../../../parse-document.js';
import { CACHE_FORMS } from '../../../model/quantized-caches.js';
import type { ReadOnly } from '../../../read-only.js';
import { LOAD_DTYPES } from '../../../tensor/load-dtype.js';
import { QUANT_SCHEMES } from '../../../tensor/quantized.js';
import { ENGINES } from '../../map/engine.js';
import { MODEL_USES } from '../../models/read-model-table.js';
import { OBJECTIVES } from '../request/plan-options.js';

/** What `schema` of a plan says; `schema/plan-1.schema.json` describes it. */
export const PLAN_SCHEMA = 'blip2-device-map/plan/1';

const BELOW_ZERO = { error: ({ input }: { readonly input?: unknown }) => `${String(input)} is less than 0` };
const bytes = z.number().int().nonnegative(BELOW_ZERO);
const device = z.union([z.number().int().nonnegative(), z.literal('cpu'), z.literal('disk')]);
const runsOn = z.union([z.number().int().nonnegative(), z.literal('cpu')]);
const ms = z.number().nonnegative(BELOW_ZERO);
const dtype = z.enum(LOAD_DTYPES);
const scheme = z.enum(QUANT_SCHEMES);

const accuracyNote = z
  .object({
    scheme,
    blocks: bytes.describe('How many blocks are quantised so.'),
    weightError: z
      .number()
      .describe(
        "Root mean square error of their weights, as a fraction of the weights' own, for normally distributed values.",
      ),
    priceMs: ms.describe(
      'Milliseconds that the solver charged for it beside the latency: what quantising had to save.',
    ),
  })
  .meta({ id: 'AccuracyNote' });

const deviceMemory = z
  .object({
    id: device,
    name: z.string(),
    budgetBytes: bytes.nullable().describe('null where no limit was set.'),
    weightBytes: bytes,
    conversionBytes: bytes.describe('float32 copies on a CPU without half-precision kernels, beyond weightBytes.'),
    cacheBytes: bytes,
    bufferBytes: bytes,
    activationBytes: bytes.describe('Activations and staged weights of the block with the largest sum of both.'),
    stagingBytes: bytes,
    overheadBytes: bytes.describe(
      "What the engine itself takes: workspaces of its libraries, and the driver's context where that is counted.",
    ),
    reserveBytes: bytes,
    freeBytes: z
      .number()
      .int()
      .nullable()
      .describe('Below zero where a map that was given takes more than the budget: such a plan is no map to run.'),
  })
  .meta({ id: 'DeviceMemory' });

const placement = z
  .object({
    block: z.string().describe('Module path or root parameter.'),
    phase: z.enum(['image', 'prompt', 'token']),
    device: device.describe("The device map's value."),
    weightsOn: device.describe(
      'Whose memory the weights take: device, but for tables that the host looks rows up in for a GPU.',
    ),
    execution: z.enum(['resident', 'streamed', 'host']),
    runsOn: runsOn.describe('Where the block runs.'),
    weightBytes: bytes,
    keptBytes: bytes
      .exactOptional()
      .describe('Of weightBytes, what is on runsOn for good while the rest is streamed to it; absent for nothing.'),
    latencyMs: ms.describe('Milliseconds per call, crossings apart.'),
  })
  .meta({ id: 'Placement' });

const crossing = z
  .object({
    from: z.string(),
    to: z.string(),
    fromDevice: runsOn,
    toDevice: runsOn,
    timesPerCall: bytes.describe('How often values cross in a call.'),
    latencyMs: ms,
  })
  .meta({ id: 'Crossing' });

const planCost = z
  .object({
    latencyMs: ms.describe('Predicted milliseconds per call: batch pictures, newTokens tokens each.'),
    rangeMs: z
      .object({ least: ms, most: ms })
      .exactOptional()
      .describe('What it may take, by how far off the rates of its devices may be; absent in older plans.'),
    firstCaptionMs: ms
      .exactOptional()
      .describe(
        'The latency, and what a first start has to do for it: float32 copies of weights that the CPU runs, which are kept for ' +
          'the next, and quantised weights in the order of its kernels. Loading is not counted. Absent in older plans.',
      ),
    imageMs: ms,
    promptMs: ms,
    tokenMs: ms,
    crossingMs: ms,
    busiestMs: ms.describe(
      'Milliseconds that the busiest device works per call: the interval at which calls can follow one another.',
    ),
    streamedBytesPerCall: bytes.describe('Weight bytes copied to GPUs per call.'),
    streamedBytesPerToken: bytes.describe('The same per generated token, within those of the call.'),
  })
  .meta({ id: 'PlanCost' });

const solverReport = z
  .object({
    objective: z.enum(OBJECTIVES).describe('What the plan is best at; the bound and the gap are in its terms.'),
    status: z
      .enum(['optimal', 'stopped', 'given'])
      .describe('optimal is proven; stopped is within gap; given was not chosen by the solver.'),
    boundMs: ms.describe(
      'No placement that fits is predicted to be faster than this; prices of accuracy count as time, and so does what devices ' +
        'whose rates are less certain than the best known may take more at their worst. For throughput: none has a busiest ' +
        'device that is busy for less.',
    ),
    gap: z.number().describe('(cost - bound) / cost, with prices of accuracy on both sides.'),
  })
  .meta({ id: 'SolverReport' });

export const planSchema = z
  .object({
    schema: z.literal(PLAN_SCHEMA),
    tool: z.object({ name: z.string(), version: z.string() }),
    checkpoint: z.object({
      id: z.string(),
      files: z.array(z.string()),
      fingerprint: z.string().nullable(),
      revision: z.string().exactOptional().describe('Branch, tag or commit on the hub, where one was asked for.'),
    }),
    model: z
      .object({
        class: z.string(),
        use: z.enum(MODEL_USES),
        dequantize: z
          .literal(true)
          .exactOptional()
          .describe('Its loader has to be told to make floats of compressed weights.'),
      })
      .nullable()
      .exactOptional()
      .describe(
        'The class of transformers that loads it; null where it is not known, absent for a BLIP-2 that captions.',
      ),
    engine: z.enum(ENGINES),
    dtype,
    dtypes: z.record(z.string(), dtype).describe('Module path to dtype, where it differs from dtype.'),
    quant: z
      .record(z.string(), scheme)
      .default({})
      .describe('Block to what its linear weights are stored as, where they are not floats.'),
    accuracy: z
      .array(accuracyNote)
      .default([])
      .describe('What quantised blocks cost in accuracy, and what that was weighed at.'),
    workload: z.object({
      batch: bytes,
      encoded: z
        .number()
        .int()
        .positive()
        .exactOptional()
        .describe('Pictures of the batch that are encoded together; absent for all, and in older plans.'),
      caches: z
        .enum(CACHE_FORMS)
        .exactOptional()
        .describe(
          'How GPUs keep keys and values; int8: as integers, with a scale for each head of a token. Absent: as floats.',
        ),
      beams: bytes,
      promptTokens: bytes,
      newTokens: bytes,
      pictureSize: z
        .object({ height: bytes, width: bytes })
        .nullable()
        .default(null)
        .describe('Pixels that every picture is brought to; null for the size that the model was made for.'),
    }),
    countContext: z
      .boolean()
      .exactOptional()
      .describe("Whether GPUs' overheadBytes hold what the driver takes for a process; absent in older plans."),
    pageLocked: z
      .literal(true)
      .exactOptional()
      .describe(
        'Times are of weights that transformers streams from page-locked host memory, as its Python (-f python) has them; absent for ' +
          'pageable memory.',
      ),
    devices: z
      .array(deviceMemory)
      .min(1, 'names no device')
      .describe('budget = weights + conversion + caches + buffers + activations + staging + overhead + reserve + free'),
    device_map: z.record(z.string(), device).describe('The Hugging Face device map.'),
    placements: z.array(placement).min(1, 'names no block').describe('In the order the blocks run.'),
    crossings: z.array(crossing),
    cost: planCost.describe('imageMs, promptMs, tokenMs and crossingMs add up to latencyMs.'),
    solver: solverReport,
    assumptions: z.array(z.string()),
    warnings: z.array(z.string()),
  })
  .meta({ title: 'BLIP-2 placement plan', id: PLAN_SCHEMA });

/** A plan: the device map and all that it rests on. Read one from JSON with `parsePlan`. */
export type PlanDocument = ReadOnly<z.infer<typeof planSchema>>;
/** A device's memory, adding up: budget = weights + conversion + caches + buffers + activations + staging + overhead + reserve + free. */
export type DeviceMemory = ReadOnly<z.infer<typeof deviceMemory>>;
/** Where a block lives and where it runs. */
export type Placement = ReadOnly<z.infer<typeof placement>>;
/** Activations handed from one device to another. */
export type Crossing = ReadOnly<z.infer<typeof crossing>>;
/** What a call is predicted to take; `imageMs`, `promptMs`, `tokenMs` and `crossingMs` add up to `latencyMs`. */
export type PlanCost = ReadOnly<z.infer<typeof planCost>>;
/** What quantised blocks cost in accuracy. */
export type AccuracyNote = ReadOnly<z.infer<typeof accuracyNote>>;
/** How far a plan is proven. */
export type SolverReport = ReadOnly<z.infer<typeof solverReport>>;

/**
 * Reads a plan from parsed JSON.
 * @throws Blip2Error `PLAN_INVALID` naming every field that is wrong.
 */
export function parsePlan(json: unknown): PlanDocument {
  return parseDocument(planSchema, json, {
    code: 'PLAN_INVALID',
    what: 'This is not a plan document',
    hint: 'blip2-plan --format json writes one.',
    most: 5,
  });
}

/** JSON Schema (draft 2020-12) of the plan document. */
export function planJsonSchema(): object {
  return z.toJSONSchema(planSchema);
}
