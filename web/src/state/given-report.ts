/** What a report holds beside the page: the plan that the command made, and what it needs to plan on. */
import * as z from 'zod';
import { parseMachineProfile } from '../../../src/planner/price/device-profile.js';
import { parseDeviceMap } from '../../../src/planner/map/parse-device-map.js';
import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import { parsePlan } from '../../../src/planner/plan/document/plan-document.js';
import type { SweepPoint } from '../../../src/planner/plan/comparison/sweep.js';
import { LOAD_DTYPES } from '../../../src/tensor/load-dtype.js';
import { GPU_PROVIDERS } from '../../../src/planner/plan/request/plan-options.js';
import type { Measurement } from '../../../src/planner/report/svg/measured-comparison.js';
import { DTYPE_BITS, type Dtype } from '../../../src/tensor/dtype.js';
import type { OpenModel } from '../model/open-model.js';
import type { CarriedOptions } from '../settings/plan-options.js';

export interface GivenReport {
  readonly plan: PlanDocument;
  /** As behind the `#` of an address. */
  readonly settings: string;
  readonly sweep: readonly SweepPoint[];
  readonly measured: Measurement | null;
  /** null where the settings name a preset. */
  readonly model: OpenModel | null;
  readonly carried: CarriedOptions;
  readonly carriedFlags: readonly string[];
}

const bytes = z.number().int().nonnegative();
const side = z.number().int().positive();
const schema = z.strictObject({
  plan: z.unknown(),
  settings: z.string(),
  sweep: z.array(
    z.strictObject({
      gpuBytes: bytes,
      latencyMs: z.number().nullable(),
      streamedBytesPerCall: bytes.nullable(),
      gpuWeightBytes: bytes.nullable(),
      step: z.string().nullable(),
    }),
  ),
  measured: z
    .strictObject({ label: z.string(), latencyMs: z.number(), gpuPeakBytes: z.number().nullable() })
    .nullable(),
  model: z
    .strictObject({
      identity: z.strictObject({ id: z.string(), files: z.array(z.string()), fingerprint: z.string().nullable() }),
      config: z.unknown(),
      /** Name, dtype, shape. */
      tensors: z.array(z.tuple([z.string(), z.enum(Object.keys(DTYPE_BITS) as Dtype[]), z.array(bytes)])),
      warnings: z.array(z.string()),
    })
    .nullable(),
  carried: z.strictObject({
    dtypes: z.array(z.tuple([z.string(), z.enum(LOAD_DTYPES)])),
    pins: z.record(z.string(), z.unknown()),
    provider: z.enum(GPU_PROVIDERS),
    names: z.enum(['loaded', 'file']).nullable(),
    machine: z.unknown(),
    pictureSize: z.strictObject({ height: side, width: side }).nullable(),
  }),
  carriedFlags: z.array(z.string()),
});

/** What the command writes and `readGivenReport` reads. */
export type ReportDocument = z.input<typeof schema>;

/** As it was written: its text is the command's, byte for byte. */
function checkedPlan(json: unknown): PlanDocument {
  parsePlan(json);
  return json as PlanDocument;
}

/** @throws Error where the document is none of ours */
export function readGivenReport(text: string): GivenReport {
  const { plan, model, carried, ...rest } = schema.parse(JSON.parse(text));
  const { dtypes, pins, provider, names, machine, pictureSize } = carried;
  return {
    ...rest,
    plan: checkedPlan(plan),
    model:
      model === null
        ? null
        : { ...model, tensors: new Map(model.tensors.map(([name, dtype, shape]) => [name, { dtype, shape }])) },
    carried: {
      dtypes: new Map(dtypes),
      pins: Object.keys(pins).length === 0 ? new Map() : parseDeviceMap(pins),
      provider,
      ...(names === null ? {} : { names }),
      ...(machine === null ? {} : { machine: parseMachineProfile(machine) }),
      ...(pictureSize === null ? {} : { pictureSize }),
    },
  };
}
