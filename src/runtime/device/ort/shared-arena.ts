/**
 * Device memory that sessions share for what they hold while they run. Left to themselves, each session keeps what its largest
 * run took; with this, all of them together keep what the largest run of any took.
 */
import { memoryInfo, type MemoryPlace } from './memory-info.js';
import { environment } from './ort-session.js';
import { ortApi } from './ort-api.js';

/** `kSameAsRequested`: never more than a run asks for. Of the other numbers, -1 or 0 leaves the choice to ONNX Runtime. */
const ARENA = { max_mem: 0, arena_extend_strategy: 1 } as const;

const taken = new Set<MemoryPlace>();

export class SharedArena implements Disposable {
  readonly #place: MemoryPlace;

  private constructor(place: MemoryPlace) {
    this.#place = place;
  }

  /**
   * For one model at a time: what a run has left is another's at once, which is right only where all run in one order.
   * @returns null where another model has that of the device
   * @throws Blip2Error `ORT_FAILED`
   */
  static take(place: `Cuda:${number}`): SharedArena | null {
    if (taken.has(place)) return null;
    const ort = ortApi();
    const [names, values] = [Object.keys(ARENA), BigUint64Array.from(Object.values(ARENA), BigInt)];
    const settings = ort.create('CreateArenaCfgV2', names, values, names.length);
    try {
      const options = { device_id: place.slice('Cuda:'.length) };
      const [keys, texts] = [Object.keys(options), Object.values(options)];
      const info = memoryInfo(place);
      ort.call('CreateAndRegisterAllocatorV2', environment(), 'CUDAExecutionProvider', info, settings, keys, texts, 1);
    } finally {
      ort.release('ArenaCfg', settings);
    }
    taken.add(place);
    return new SharedArena(place);
  }

  /** Once no session that uses it is left. */
  [Symbol.dispose](): void {
    if (taken.delete(this.#place)) ortApi().call('UnregisterAllocator', environment(), memoryInfo(this.#place));
  }
}
