/** What the units of programs run on: GPUs, and the CPU beside them. */
import type { GpuStyle } from '../../../graph/gpu/gpu-style.js';
import type { DeviceMemory } from '../../../device/memory/device-memory.js';
import type { Shortlists } from '../../../device/kernels/shortlists.js';
import type { OrtSessionOptions } from '../../../device/ort/ort-session.js';
import type { SharedArena } from '../../../device/ort/shared-arena.js';

export interface SessionKind {
  /** Whether runs of one token are recorded and replayed. */
  readonly isRecorded: boolean;
  /** Whether products in float32 may round their factors to float16's precision, which makes them several times as fast. */
  readonly roundsFactors: boolean;
  /** Whether it runs in one order with the others that share the device's arena. */
  readonly sharesArena: boolean;
}

export interface EngineDevice {
  /** Whether it is the CPU beside the GPUs: weights of its blocks are read where their file is mapped. */
  readonly isHost: boolean;
  readonly memory: DeviceMemory;
  /** Of its graphs: its float is that of activations and caches there. */
  readonly style: GpuStyle;
  readonly sessionOptions: (kind: SessionKind) => OrtSessionOptions;
  /** Whether its provider keeps the memory of a run for runs of the same shape: then there should be few shapes. */
  readonly keepsShapes?: boolean;
  /** Whether its provider can record a run. */
  readonly canRecord: boolean;
  /** Whether that is worth it for tokens only: what is recorded keeps all memory of its run. */
  readonly recordsTokensOnly?: boolean;
  /** Makes the sessions share one, until it is disposed; null where another model's do. Absent: the provider has none. */
  readonly shareArena?: () => SharedArena | null;
  /** Lists the greatest logits of each row; absent where the device has no kernel for it. */
  readonly shortlists?: Shortlists;
  /** Its number, of a CUDA card. */
  readonly card?: number;
  /** The same device for work beside this one's, in an order of its own. */
  readonly beside?: () => EngineDevice;
}

/** The device that runs a block, and whether the block's weights stay there or pass through it on every run. */
export interface BlockPlace {
  readonly device: EngineDevice;
  readonly isResident: boolean;
}

export type PlaceOf = (block: string) => BlockPlace;
