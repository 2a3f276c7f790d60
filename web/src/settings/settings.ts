/** Everything that the page lets its reader choose. */
import type { QuantScheme } from '../../../src/tensor/quantized.js';
import type { Objective } from '../../../src/planner/plan/request/plan-options.js';
import type { LoadDtype } from '../../../src/tensor/load-dtype.js';
import type { Engine } from '../../../src/planner/map/engine.js';

/** Cards that are alike. */
export interface CardGroup {
  /** Of the planner's table; null for a card that is not named. */
  readonly card: string | null;
  readonly count: number;
  /** Of each; null for all that such a card has. */
  readonly memoryBytes: number | null;
}

export type ModelChoice =
  | { readonly kind: 'preset' | 'hub'; readonly id: string }
  /** Dropped or embedded: what the page holds, and no address can name. */
  | { readonly kind: 'held'; readonly id: string };

export interface Settings {
  readonly model: ModelChoice;
  /** Where the hub is. */
  readonly hub: string;
  readonly groups: readonly CardGroup[];
  /** null sets no limit. */
  readonly ramBytes: number | null;
  readonly diskBytes: number;
  readonly reserveBytes: number;
  /** Whether what the driver takes for a process is part of the cards' memory. */
  readonly countContext: boolean;
  readonly batch: number | 'auto';
  readonly beams: number;
  /** null for what is usual for the model. */
  readonly promptTokens: number | null;
  readonly newTokens: number | null;
  readonly dtype: LoadDtype | null;
  readonly quant: readonly QuantScheme[];
  readonly engine: Engine | null;
  readonly objective: Objective;
  /** Whether transformers may stream parts of layers, of models that are not BLIP-2. */
  readonly cutsLayers: boolean;
  /** Whether what transformers streams from host memory is page-locked there. */
  readonly pageLocked: boolean;
  /** Seconds to search at most, with HiGHS; null for the usual effort. */
  readonly searchSeconds: number | null;
}

export const HUB = 'https://huggingface.co';

export const DEFAULT_SETTINGS: Settings = {
  model: { kind: 'preset', id: 'Salesforce/blip2-opt-2.7b' },
  hub: HUB,
  groups: [{ card: 'RTX 3070', count: 1, memoryBytes: 6 * 2 ** 30 }],
  ramBytes: null,
  diskBytes: 0,
  reserveBytes: 0,
  countContext: true,
  batch: 1,
  beams: 1,
  promptTokens: null,
  newTokens: null,
  dtype: null,
  quant: [],
  engine: null,
  objective: 'latency',
  cutsLayers: false,
  pageLocked: false,
  searchSeconds: null,
};

export const MOST_CARDS = 32;
