import * as z from 'zod';
import { findCard, KNOWN_GPUS, LOAD_DTYPES, type PlanDocument } from '../../src/planner/index.js';
import { ENGINES } from '../../src/planner/map/engine.js';
import type { RequestArgs } from './request-flags.js';

const count = z.number().int().positive();
const size = z.number().int().nonnegative();

/** What a plan says was asked for. Documents that say less are plans, too. */
const askedSchema = z.looseObject({
  schema: z.string(),
  checkpoint: z.looseObject({
    id: z.string().optional(),
    fingerprint: z.string().nullable().optional(),
    revision: z.string().optional(),
  }),
  engine: z.enum(ENGINES).optional(),
  dtype: z.enum(LOAD_DTYPES).optional(),
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
  countContext: z.boolean().optional(),
  pageLocked: z.boolean().optional(),
  devices: z
    .array(
      z.looseObject({
        id: z.union([size, z.string()]),
        name: z.string().default(''),
        budgetBytes: size.nullable(),
        reserveBytes: size.optional(),
      }),
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
  const { checkpoint, dtype, workload, countContext, pageLocked, devices } = parsed.data;
  const engine = args.engine ?? parsed.data.engine;
  const batch = args.batch ?? workload?.batch;
  const cards = args.gpu === undefined && args.profile === undefined ? cardsOf(devices, args.vram) : {};
  const isSameWork = batch === workload?.batch;
  return {
    args: {
      ...args,
      checkpoint: args.checkpoint ?? checkpoint.id,
      revision: args.revision ?? (args.checkpoint === undefined ? checkpoint.revision : undefined),
      engine,
      dtype: args.dtype ?? (dtype === undefined ? undefined : [dtype]),
      'page-lock': args['page-lock'] ?? (engine === 'transformers' ? pageLocked : undefined),
      batch,
      beams: args.beams ?? workload?.beams,
      'prompt-tokens': args['prompt-tokens'] ?? workload?.promptTokens,
      'max-new-tokens': args['max-new-tokens'] ?? workload?.newTokens,
      'picture-size': args['picture-size'] ?? workload?.pictureSize ?? undefined,
      ...cards,
      ...budgetsOf(devices, args, { hasCards: cards.gpu !== undefined, countContext }),
    },
    ...(isSameWork && workload?.encoded !== undefined ? { encoded: workload.encoded } : {}),
    fingerprint: checkpoint.fingerprint ?? null,
  };
}

type DeviceSaid = z.infer<typeof askedSchema>['devices'][number];

/** The table's cards that it was made for; those that were measured have other names, and only their machine knows their speeds. */
function cardsOf(devices: readonly DeviceSaid[], vram: RequestArgs['vram']): Partial<RequestArgs> {
  const names = devices.flatMap(({ id, name }) => (typeof id === 'number' ? [name] : []));
  const known = new Set([...KNOWN_GPUS.values()].map(({ name }) => name));
  const isWhole = names.length > 0 && names.length === (vram?.length ?? names.length);
  return isWhole && names.every((name) => known.has(name)) ? { gpu: names } : {};
}

function budgetsOf(
  devices: readonly DeviceSaid[],
  args: RequestArgs,
  { hasCards, countContext }: { readonly hasCards: boolean; readonly countContext: boolean | undefined },
): Partial<RequestArgs> {
  const said = (name: string) => inBytes(devices.find(({ id }) => id === name)?.budgetBytes);
  const memory = { ram: args.ram ?? said('cpu'), disk: args.disk ?? said('disk') };
  const gpus = devices.filter(({ id }) => typeof id === 'number');
  // Flags number GPUs from 0 in their order.
  const areNumbered = gpus.every(({ id, budgetBytes }, index) => id === index && budgetBytes !== null);
  const [first] = gpus;
  if (first === undefined || !areNumbered || args.vram !== undefined || args.gpu !== undefined) return memory;
  // The memory of a whole card holds its driver's share, which --gpu alone counts.
  const areWhole = hasCards && gpus.every(({ name, budgetBytes }) => findCard(name)?.memoryBytes === budgetBytes);
  return {
    ...memory,
    ...(areWhole ? {} : { vram: gpus.flatMap(({ budgetBytes }) => inBytes(budgetBytes) ?? []) }),
    reserve: args.reserve ?? inBytes(first.reserveBytes),
    'count-context': args['count-context'] ?? countContext,
  };
}

/** With its unit: without one a small number is no size. */
function inBytes(bytes: number | null | undefined): string | undefined {
  return typeof bytes === 'number' ? `${bytes}B` : undefined;
}
