/** The sweep of budgets: run once for all that a slider of memory can change, and kept with its plans. */
import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import type { SweepPoint, SweepRange } from '../../../src/planner/plan/comparison/sweep.js';
import type { Workload } from '../../../src/planner/profile/workload/workload.js';
import { tensorBytes } from '../../../src/tensor/tensor-info.js';
import type { OpenModel } from '../model/open-model.js';
import { cardCount, memoryOf } from '../settings/card-groups.js';
import { settingsHash } from '../settings/settings-hash.js';
import type { Settings } from '../settings/settings.js';
import { PlannerClient, type Ask } from '../worker/planner-client.js';
import type { SweepState } from './page-state.js';

export class SweepRunner {
  readonly #onChange: (sweep: SweepState | null) => void;
  #client: PlannerClient | undefined;
  #key = '';
  #model: OpenModel | null = null;
  #sweep: SweepState | null = null;
  #isKept = false;
  #workloadKey = '';
  #plans: { readonly gpuBytes: number; readonly plan: PlanDocument }[] = [];

  constructor(onChange: (sweep: SweepState | null) => void) {
    this.#onChange = onChange;
  }

  /** A sweep that a report brings. */
  keep(points: readonly SweepPoint[], settings: Settings): void {
    const [first, last] = [points[0], points.at(-1)];
    if (first === undefined || last === undefined) return;
    this.#sweep = {
      range: { fromBytes: first.gpuBytes, toBytes: last.gpuBytes, points: points.length },
      points,
      isDone: true,
    };
    this.#key = keyOf(settings);
    this.#isKept = true;
    this.#onChange(this.#sweep);
  }

  /** Runs it where what it depends on has changed. */
  run(ask: Omit<Ask, 'wanted' | 'onReply'>, workload: Workload | null): void {
    const { settings, model } = ask;
    const range = sweepRange(settings, model);
    const key = keyOf(settings);
    const workloadKey = JSON.stringify(workload);
    if (range === null) {
      this.stop();
      return;
    }
    if (this.#isKept && key === this.#key) return;
    if (
      key === this.#key &&
      workloadKey === this.#workloadKey &&
      model === this.#model &&
      this.#sweep !== null &&
      this.#sweep.range.toBytes >= reach(settings, range.toBytes)
    )
      return;
    this.stop();
    this.#key = key;
    this.#workloadKey = workloadKey;
    this.#model = model;
    this.#show({ range, points: [], isDone: false });
    this.#client ??= new PlannerClient();
    this.#client.ask({
      ...ask,
      wanted: { kind: 'sweep', range, workload },
      onReply: (reply) => {
        const sweep = this.#sweep;
        if (sweep === null || this.#key !== key || this.#model !== model) return;
        if (reply.kind === 'point') {
          if (reply.plan !== null) this.#plans.push({ gpuBytes: reply.point.gpuBytes, plan: reply.plan });
          this.#show({ ...sweep, points: [...sweep.points, reply.point] });
        } else if (reply.kind === 'done') this.#show({ ...sweep, isDone: true });
      },
    });
  }

  stop(): void {
    this.#client?.cancel();
    this.#key = '';
    this.#isKept = false;
    this.#model = null;
    this.#plans = [];
    this.#show(null);
  }

  /** null where the sweep has none yet. */
  planWithin(settings: Settings, gpuBytes: number): PlanDocument | null {
    if (keyOf(settings) !== this.#key) return null;
    return this.#plans.findLast((each) => each.gpuBytes <= gpuBytes)?.plan ?? null;
  }

  #show(sweep: SweepState | null): void {
    if (sweep === null && this.#sweep === null) return;
    this.#sweep = sweep;
    this.#onChange(sweep);
  }
}

/** Everything but the memory of the cards, which it goes through. */
function keyOf(settings: Settings): string {
  const groups = settings.groups.map((group) => ({ ...group, memoryBytes: null }));
  return settingsHash({ ...settings, searchSeconds: null, groups });
}

function reach({ groups }: Settings, toBytes: number): number {
  return cardCount(groups) === 0 ? 0 : Math.min(toBytes, Math.max(...groups.map(memoryOf)));
}

/** About; a sixteenth of the range is the first. */
const POINTS = 21;
const CONTEXT_BYTES = 0.75 * 2 ** 30;

/** From little to more than the whole model takes of each card, in round steps. */
function sweepRange(settings: Settings, { tensors }: OpenModel): SweepRange | null {
  const cards = cardCount(settings.groups);
  if (cards === 0) return null;
  let stored = 0;
  for (const tensor of tensors.values()) stored += tensorBytes(tensor, loadedDtype(tensor.dtype, settings));
  const context = settings.countContext ? CONTEXT_BYTES : 0;
  const whole = context + (1.3 * stored) / cards + settings.reserveBytes;
  const step = roundStep(whole / (POINTS - 1));
  const fromBytes = Math.max(step, Math.floor((context + settings.reserveBytes) / step) * step);
  const toBytes = Math.max(Math.ceil(whole / step) * step, fromBytes + 4 * step);
  return { fromBytes, toBytes, points: (toBytes - fromBytes) / step + 1 };
}

/** A power of two of bytes: half a gigabyte, a quarter of one. */
function roundStep(bytes: number): number {
  return 2 ** Math.max(10, Math.ceil(Math.log2(bytes) - 0.5));
}

function loadedDtype(stored: string, { dtype }: Settings) {
  const isFloat = stored === 'F32' || stored === 'F16' || stored === 'BF16' || stored === 'F64';
  return isFloat ? (dtype === 'float32' ? 'F32' : 'F16') : undefined;
}
