/** The sweep of budgets: run once for all that a slider of memory can change, and kept with its plans. */
import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import type { SweepPoint } from '../../../src/planner/plan/comparison/sweep.js';
import type { Workload } from '../../../src/planner/profile/workload/workload.js';
import type { OpenModel } from '../model/open-model.js';
import { cardCount, memoryOf } from '../settings/card-groups.js';
import { settingsHash } from '../settings/settings-hash.js';
import type { Settings } from '../settings/settings.js';
import { PlannerClient, type Ask } from '../worker/planner-client.js';
import type { SweepState } from './page-state.js';
import { sweepRange } from './sweep-range.js';

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
