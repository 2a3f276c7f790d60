/** The plan document as a schema: to read one back, and to publish. */
import * as z from 'zod';
import { Blip2Error } from '../../../errors.js';
import { QUANT_SCHEMES } from '../../../tensor/quantized.js';
import { MODEL_USES } from '../../models/read-model-table.js';
import { LOAD_DTYPES } from '../../../tensor/load-dtype.js';
import { PLAN_SCHEMA, type PlanDocument } from './plan-document.js';
import { OBJECTIVES } from '../request/plan-options.js';

const BELOW_ZERO = { error: ({ input }: { readonly input?: unknown }) => `${String(input)} is less than 0` };
const bytes = z.number().int().nonnegative(BELOW_ZERO);
const device = z.union([z.number().int().nonnegative(), z.literal('cpu'), z.literal('disk')]);
const runsOn = z.union([z.number().int().nonnegative(), z.literal('cpu')]);
const ms = z.number().nonnegative(BELOW_ZERO);
const dtype = z.enum(LOAD_DTYPES);
const scheme = z.enum(QUANT_SCHEMES);

const planSchema = z
  .object({
    schema: z.literal(PLAN_SCHEMA),
    tool: z.object({ name: z.string(), version: z.string() }),
    checkpoint: z.object({ id: z.string(), files: z.array(z.string()), fingerprint: z.string().nullable() }),
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
    engine: z.enum(['blip2-run', 'transformers']),
    dtype,
    dtypes: z.record(z.string(), dtype).describe('Module path to dtype, where it differs from dtype.'),
    quant: z
      .record(z.string(), scheme)
      .default({})
      .describe('Block to what its linear weights are stored as, where they are not floats.'),
    accuracy: z
      .array(z.object({ scheme, blocks: bytes, weightError: z.number(), priceMs: ms }))
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
      .describe("Whether GPUs' overhead holds what the driver takes for a process; absent in older plans."),
    devices: z
      .array(
        z.object({
          id: device,
          name: z.string(),
          budgetBytes: bytes.nullable(),
          weightBytes: bytes,
          conversionBytes: bytes,
          cacheBytes: bytes,
          bufferBytes: bytes,
          activationBytes: bytes,
          stagingBytes: bytes,
          overheadBytes: bytes,
          reserveBytes: bytes,
          freeBytes: bytes.nullable(),
        }),
      )
      .min(1, 'names no device')
      .describe('budget = weights + conversion + caches + buffers + activations + staging + overhead + reserve + free'),
    device_map: z.record(z.string(), device).describe('The Hugging Face device map.'),
    placements: z
      .array(
        z.object({
          block: z.string(),
          phase: z.enum(['image', 'prompt', 'token']),
          device,
          weightsOn: device,
          execution: z.enum(['resident', 'streamed', 'host']),
          runsOn,
          weightBytes: bytes,
          latencyMs: ms,
        }),
      )
      .min(1, 'names no block')
      .describe('In the order the blocks run.'),
    crossings: z.array(
      z.object({
        from: z.string(),
        to: z.string(),
        fromDevice: runsOn,
        toDevice: runsOn,
        timesPerCall: bytes,
        latencyMs: ms,
      }),
    ),
    cost: z.object({
      latencyMs: ms,
      rangeMs: z
        .object({ least: ms, most: ms })
        .exactOptional()
        .describe('What it may take, by how far off the rates of its devices may be; absent in older plans.'),
      firstCaptionMs: ms
        .exactOptional()
        .describe('The latency, and the conversions that a first start makes for it; absent in older plans.'),
      imageMs: ms,
      promptMs: ms,
      tokenMs: ms,
      crossingMs: ms,
      busiestMs: ms,
      streamedBytesPerCall: bytes,
      streamedBytesPerToken: bytes,
    }),
    solver: z.object({
      objective: z.enum(OBJECTIVES),
      status: z.enum(['optimal', 'stopped', 'given']),
      boundMs: ms,
      gap: z.number(),
    }),
    assumptions: z.array(z.string()),
    warnings: z.array(z.string()),
  })
  .meta({ title: 'BLIP-2 placement plan', id: PLAN_SCHEMA });

/**
 * Reads a plan from parsed JSON.
 * @throws Blip2Error `PLAN_INVALID` naming every field that is wrong.
 */
export function parsePlan(json: unknown): PlanDocument {
  const parsed = planSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(document)'}: ${issue.message}`);
  throw new Blip2Error('PLAN_INVALID', `This is not a plan document: ${issues.slice(0, 5).join('; ')}`, {
    hint: 'blip2-plan --format json writes one.',
    details: { issues },
  });
}

/** JSON Schema (draft 2020-12) of the plan document. */
export function planJsonSchema(): object {
  return z.toJSONSchema(planSchema);
}
