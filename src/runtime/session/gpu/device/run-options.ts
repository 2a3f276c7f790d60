import type { DeviceMemory } from '../../../device/memory/device-memory.js';
import { RunOptions } from '../../../device/ort/ort-session.js';

/**
 * `enqueued` runs return before the device is done, in the order of the memory's copies; `awaited` ones return when it is.
 * `recorded` ones are replayed whenever they run again, and `unrecorded` ones run in a session that records others.
 *
 * The last run of a session has to be awaited: operators borrow pinned host memory for the time of a run, which ONNX Runtime
 * 1.30 takes back in awaited runs of CUDA only, and otherwise in a callback of the driver after the session is gone, where
 * freeing it is an error that ends the process.
 */
export type RunKind = 'enqueued' | 'awaited' | 'recorded' | 'unrecorded';

let recordings = 0;

export function runOptions({ place }: Pick<DeviceMemory, 'place'>, kind: RunKind): RunOptions {
  if (place === 'Cpu' || (kind === 'awaited' && place.startsWith('Cuda'))) return new RunOptions();
  if (kind === 'enqueued' || kind === 'awaited')
    return new RunOptions({ disable_synchronize_execution_providers: '1' });
  // Each recording has an id of its own; -1 runs without one.
  return new RunOptions({ gpu_graph_id: kind === 'recorded' ? String(++recordings) : '-1' });
}

/** Those of a unit's runs: `followed` where another run of the same session follows, which is awaited in its place. */
export class UnitOptions implements Disposable {
  readonly own: RunOptions;
  readonly followed: RunOptions;

  constructor(memory: Pick<DeviceMemory, 'place'>, kind: RunKind) {
    this.own = runOptions(memory, kind);
    this.followed = kind === 'awaited' ? runOptions(memory, 'enqueued') : this.own;
  }

  [Symbol.dispose](): void {
    this.own[Symbol.dispose]();
    if (this.followed !== this.own) this.followed[Symbol.dispose]();
  }
}
