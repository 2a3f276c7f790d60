import * as z from 'zod';
import { parseDocument } from '../../../parse-document.js';
import type { DeviceMap } from '../../map/device-map.js';
import { parseDeviceMap } from '../../map/parse-device-map.js';
import { QUANT_SCHEMES, type QuantScheme } from '../../../tensor/quantized.js';
import { PLAN_SCHEMA } from './plan-document.js';

/** What executing a plan needs of its document. */
export interface GivenPlan {
  readonly map: DeviceMap;
  /** Fingerprint of the checkpoint that the plan was made for; null where it does not say. */
  readonly fingerprint: string | null;
  /** Block -> what its weights become. */
  readonly quant: ReadonlyMap<string, QuantScheme>;
  /** Blocks that the plan says how to run; null where it says that of none, as a map. */
  readonly placed: ReadonlySet<string> | null;
  /** Blocks that the CPU runs although a GPU might; empty for a map, which does not say. */
  readonly hostBlocks: ReadonlySet<string>;
  /** Block in host memory -> the GPU that it passes through. */
  readonly streamGpus: ReadonlyMap<string, number>;
}

const planSchema = z.looseObject({
  schema: z.literal(PLAN_SCHEMA),
  checkpoint: z.looseObject({ fingerprint: z.string().nullable() }),
  quant: z.record(z.string(), z.enum(QUANT_SCHEMES)).default({}),
  devices: z
    .array(z.looseObject({ weightBytes: z.number().nonnegative(), budgetBytes: z.number().nonnegative().nullable() }))
    .min(1)
    .optional(),
  placements: z
    .array(z.looseObject({ block: z.string(), execution: z.string(), runsOn: z.union([z.number(), z.literal('cpu')]) }))
    .min(1)
    .default([]),
  device_map: z.unknown(),
});

/**
 * Reads a document that somebody hands over as a plan: a whole plan of this tool, or a bare Hugging Face device map.
 * @throws Blip2Error `PLAN_INVALID`, or one of `parseDeviceMap`'s.
 */
export function readPlan(json: unknown): GivenPlan {
  if (typeof json !== 'object' || json === null || !('schema' in json)) {
    return {
      map: parseDeviceMap(json),
      fingerprint: null,
      quant: new Map(),
      placed: null,
      hostBlocks: new Set(),
      streamGpus: new Map(),
    };
  }
  const { device_map, checkpoint, quant, placements } = parseDocument(planSchema, json, {
    code: 'PLAN_INVALID',
    what: `this is not a plan of this version (${PLAN_SCHEMA})`,
    hint: 'Make it again with blip2-plan --format json, or give a device map.',
  });
  return {
    map: parseDeviceMap(device_map),
    fingerprint: checkpoint.fingerprint,
    quant: new Map(Object.entries(quant)),
    placed: placements.length === 0 ? null : new Set(placements.map(({ block }) => block)),
    streamGpus: new Map(
      placements.flatMap(({ block, execution, runsOn }) =>
        execution === 'streamed' && runsOn !== 'cpu' ? [[block, runsOn] as const] : [],
      ),
    ),
    hostBlocks: new Set(placements.flatMap(({ block, execution }) => (execution === 'host' ? [block] : []))),
  };
}
