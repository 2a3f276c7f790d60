/** A decoder's runs by shape: bound once, and bound to other rows of the caches where a prompt begins in others. */
import type { DecoderOnlyConfig } from '../../../../model/language-config.js';
import type { GpuFloat } from '../../../graph/gpu/gpu-style.js';
import type { CachePart } from '../../../graph/wires.js';
import type { HostBuffer } from '../../../device/memory/device-memory.js';
import type { BoundTensor } from '../../../device/ort/ort-session.js';
import { ProgramRun, type ProgramRunParts } from '../program/program-run.js';
import type { DecoderWires, RunShape } from './decoder-wires.js';
import type { LayerCaches } from './layer-caches.js';
import type { RowShape } from './row-shape.js';
import { resultWires } from './step-result.js';

export interface DecoderRunsParts extends ProgramRunParts {
  readonly config: DecoderOnlyConfig;
  /** Of what the host gives to the devices. */
  readonly float: GpuFloat;
}

interface BoundRun {
  readonly run: ProgramRun;
  readonly shape: RunShape;
  first: number;
}

export class DecoderRuns implements Disposable {
  readonly #parts: DecoderRunsParts;
  readonly #wires: DecoderWires;
  /** The longest row with its new tokens, which the operator asks for on the host. */
  readonly #total: HostBuffer;
  readonly #rowShape: RowShape;
  /** Of whole prompts the newest shape only, of single tokens all. */
  readonly #runs = new Map<string, BoundRun>();

  constructor(parts: DecoderRunsParts, wires: DecoderWires, total: HostBuffer, rowShape: RowShape) {
    this.#parts = parts;
    this.#wires = wires;
    this.#total = total;
    this.#rowShape = rowShape;
  }

  /** @param first the row of the caches that the run's rows begin with */
  of(shape: RunShape, caches: LayerCaches, first: number): ProgramRun {
    const key = `${shape.rows}x${shape.tokens}`;
    const known = this.#runs.get(key);
    // What is replayed is replayed where it was.
    const isElsewhere = known !== undefined && known.first !== first && known.run.replays;
    if (known === undefined || isElsewhere) return this.#start(key, shape, caches, first);
    if (known.first !== first) {
      known.first = first;
      known.run.bindKept();
    }
    return known.run;
  }

  #start(key: string, shape: RunShape, caches: LayerCaches, first: number): ProgramRun {
    if (shape.tokens > 1) this.forget(({ tokens }) => tokens > 1);
    const { config, float } = this.#parts;
    const place = { first };
    const wires = {
      inputs: this.#wires.types(shape, caches.capacity),
      chains: new Map([
        ['hidden', { dtype: float, dims: [shape.rows, shape.tokens, config.hiddenSize] }],
        ['embedded', { dtype: float, dims: [shape.rows, shape.tokens, this.#wires.width] }],
      ]),
      results: resultWires(shape.rows, config.vocabSize),
      kept: (wire: string): BoundTensor | undefined => {
        if (wire === 'total') return { place: 'Cpu', address: this.#total.address, dtype: 'I32', dims: [1] };
        if (wire === 'row_shape') return this.#rowShape.tensor;
        const [, layer, part] = /^(?:past|present)\.(\d+)\.(key|value)$/.exec(wire) ?? [];
        if (layer === undefined) return undefined;
        return caches.tensor(Number(layer), part as CachePart, shape.rows, place.first);
      },
    };
    // No card has run LLaMA's so.
    const isPromptAlone = shape.rows === 1 && first === 0 && config.family === 'opt';
    const run = new ProgramRun(this.#parts, wires, shape.tokens === 1 ? 'at once' : isPromptAlone ? 'again' : 'never');
    this.#runs.set(key, Object.assign(place, { run, shape }));
    return run;
  }

  forget(which: (shape: RunShape) => boolean = () => true): void {
    for (const [key, { shape, run }] of this.#runs) {
      if (!which(shape)) continue;
      run[Symbol.dispose]();
      this.#runs.delete(key);
    }
  }

  [Symbol.dispose](): void {
    this.forget();
  }
}
