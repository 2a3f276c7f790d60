/**
 * Runs of a program whose sessions another thread holds, several asked for at a time: while one is under way, inputs of the next go to the
 * device and results of the last come back.
 */
import type { DeviceMemory } from '../../device/memory/device-memory.js';
import { HostStaging } from './program/host-staging.js';
import type { FillInput, ProgramRun } from './program/program-run.js';

export interface AsideRun<Result> {
  /** Runs of one key are bound alike. */
  readonly key: string;
  readonly bind: (staging: HostStaging) => ProgramRun;
  readonly fill: FillInput;
  /** Takes the results, which are overwritten afterwards. */
  readonly read: (run: ProgramRun) => Result;
}

/** Memory of a run's inputs and results. */
interface Lane {
  readonly staging: HostStaging;
  bound: { readonly key: string; readonly run: ProgramRun } | null;
  last: Promise<unknown>;
}

export class AsideRuns implements AsyncDisposable {
  readonly #lanes: readonly Lane[];
  #asked = 0;

  /**
   * @param atOnce how many may be asked for before the first of them is done; further ones wait
   * @param memories of the devices that run the program
   */
  constructor(atOnce: number, memories: readonly DeviceMemory[]) {
    const lane = (): Lane => ({ staging: new HostStaging(memories), bound: null, last: Promise.resolve() });
    this.#lanes = Array.from({ length: atOnce }, lane);
  }

  /** @throws Blip2Error `OUT_OF_MEMORY`, `ORT_FAILED` */
  run<Result>({ key, bind, fill, read }: AsideRun<Result>): Promise<Result> {
    const lane = this.#lanes[this.#asked++ % this.#lanes.length];
    if (lane === undefined) throw new RangeError('no run at once');
    const result = lane.last.then(async () => {
      if (lane.bound?.key !== key) {
        letGo(lane);
        lane.bound = { key, run: bind(lane.staging) };
      }
      const { run } = lane.bound;
      await run.runAside(fill);
      return read(run);
    });
    lane.last = result.catch(() => undefined);
    return result;
  }

  /** Once all that was asked for is done. Nothing can be any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map(({ last }) => last));
    for (const lane of this.#lanes) letGo(lane);
  }
}

function letGo(lane: Lane): void {
  lane.bound?.run[Symbol.dispose]();
  lane.bound = null;
}
