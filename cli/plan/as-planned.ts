import * as z from 'zod';
import type { PlanDocument } from '../../src/planner/index.js';
import type { RequestArgs } from './request-flags.js';

const count = z.number().int().positive();
const size = z.number().int().nonnegative();

/** What a plan says was asked for. Documents that say less are plans, too. */
const askedSchema = z.looseObject({
  schema: z.string(),
  checkpoint: z.looseObject({ id: z.string().optional(), fingerprint: z.string().nullable().optional() }),
  engine: z.enum(['blip2-run', 'transformers']).optional(),
  dtype: z.enum(['float16', 'bfloat16', 'float32']).optional(),
  workload: z
    .looseObject({
      batch: count,
      encoded: count.optional(),
      beams: count,
      promptTokens: count,
      newTokens: count,
      pictureSize: z.object({ height: count, width: count }).nullable().optional(),
    })
    .optional(),
  devices: z
    .array(
      z.looseObject({ id: z.union([size, z.string()]), budgetBytes: size.nullable(), reserveBytes: size.optional() }),
    )
    .default([]),
});

/** What a plan was asked for, as flags. */
export interface Planned<A extends RequestArgs> {
  readonly args: A;
  /** Pictures that it encodes together, where those are not all. */
  readonly encoded?: number;
  /** Of the checkpoint that it was made for. */
  readonly fingerprint: PlanDocument['checkpoint']['fingerprint'];
}

/** The flags, and for what they do not say what the document says that a plan was made for; a device map says nothing. */
export function asPlanned<A extends RequestArgs>(args: A, json: unknown): Planned<A> {
  const parsed = askedSchema.safeParse(json);
  if (!parsed.success) return { args, fingerprint: null };
  const { checkpoint, engine, dtype, workload, devices } = parsed.data;
  const batch = args.batch ?? workload?.batch;
  const isSameWork = batch === workload?.batch;
  return {
    args: {
      ...args,
      checkpoint: args.checkpoint ?? checkpoint.id,
      engine: args.engine ?? engine,
      dtype: args.dtype ?? (dtype === undefined ? undefined : [dtype]),
      batch,
      beams: args.beams ?? workload?.beams,
      'prompt-tokens': args['prompt-tokens'] ?? workload?.promptTokens,
      'max-new-tokens': args['max-new-tokens'] ?? workload?.newTokens,
      'picture-size': args['picture-size'] ?? workload?.pictureSize ?? undefined,
      ...(saysNothingOfMemory(args) ? budgetsOf(devices) : {}),
    },
    ...(isSameWork && workload?.encoded !== undefined ? { encoded: workload.encoded } : {}),
    fingerprint: args.checkpoint === undefined ? null : (checkpoint.fingerprint ?? null),
  };
}

const saysNothingOfMemory = (args: RequestArgs): boolean =>
  args.vram === undefined && args.gpu === undefined && args.ram === undefined && args.disk === undefined;

type DeviceSaid = z.infer<typeof askedSchema>['devices'][number];

function budgetsOf(devices: readonly DeviceSaid[]): Partial<RequestArgs> {
  const gpus = devices.filter(({ id }) => typeof id === 'number');
  const of = (name: string) => devices.find(({ id }) => id === name)?.budgetBytes ?? null;
  const [first] = gpus;
  // Flags number GPUs from 0 in their order.
  if (first === undefined || gpus.some(({ id, budgetBytes }, index) => id !== index || budgetBytes === null)) return {};
  const [ram, disk] = [of('cpu'), of('disk')];
  return {
    vram: gpus.map(({ budgetBytes }) => String(budgetBytes)),
    ...(ram === null ? {} : { ram: String(ram) }),
    ...(disk === null ? {} : { disk: String(disk) }),
    ...(first.reserveBytes === undefined ? {} : { reserve: String(first.reserveBytes) }),
  };
}
