import type { DeviceMemory } from '../memory/device-memory.js';
import { RunOptions } from '../ort/ort-session.js';

let recordings = 0;

/**
 * Options of a run: `enqueued` ones return before the device is done, in the order of the memory's copies; `recorded` ones
 * are replayed whenever they run again, and `unrecorded` ones run in a session that records others.
 */
export function runOptions(memory: DeviceMemory, kind: 'enqueued' | 'recorded' | 'unrecorded'): RunOptions {
  if (memory.place === 'Cpu') return new RunOptions();
  if (kind === 'enqueued') return new RunOptions({ disable_synchronize_execution_providers: '1' });
  // Each recording has an id of its own; -1 runs without one.
  return new RunOptions({ gpu_graph_id: kind === 'recorded' ? String(++recordings) : '-1' });
}
