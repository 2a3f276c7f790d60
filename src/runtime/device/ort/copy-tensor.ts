import { ortApi } from './ort-api.js';
import { createValue, environment, type BoundTensor } from './ort-session.js';

/** Copies between two places of equal types, after everything that was asked of the device before; down to the host it returns when done. */
export function copyTensor(from: BoundTensor, to: BoundTensor): void {
  const ort = ortApi();
  const values = [createValue(from), createValue(to)] as const;
  try {
    ort.call('CopyTensors', environment(), [values[0]], [values[1]], null, 1);
  } finally {
    for (const value of values) ort.release('Value', value);
  }
}
