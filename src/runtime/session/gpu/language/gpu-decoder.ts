/** OPT or LLaMA on a device: tokens go in as rows, logits come out, and everything between stays where it is. */
import { DTYPE_BITS } from '../../../../tensor/dtype.js';
import type { DecoderOnlyConfig } from '../../../../model/language-config.js';
import type { RollingSource } from '../../../generation/rolling-source.js';
import type { TokenSource } from '../../../generation/token-source.js';
import type { GpuFloat } from '../../../graph/gpu/gpu-style.js';
import { headSize, type CachePart } from '../../../graph/wires.js';
import type { DecodingRoom, LanguagePrompt } from '../../model/language-prompt.js';
import type { HostBuffer } from '../../../device/memory/device-memory.js';
import type { BoundTensor } from '../../../device/ort/ort-session.js';
import { decoderWires, type DecoderTables, type DecoderWires, type NewTokens } from './decoder-wires.js';
import type { LentRoom } from '../program/lent-room.js';
import type { ProgramRunParts } from '../program/program-run.js';
import type { ProgramWires } from '../program/program-wires.js';
import { GrowingCaches } from './growing-caches.js';
import { RowRuns, type RunShape } from './row-runs.js';
import { RowShape } from './row-shape.js';
import { rowSource, sourceOf } from './row-source.js';
import { stepRows } from './step-rows.js';
import { resultWires, type StepRun, type StepResult } from './step-result.js';
import type { StoredRows } from './table-rows.js';

export interface GpuDecoderParts extends ProgramRunParts {
  readonly config: DecoderOnlyConfig;
  /** Of what the host gives to the devices. */
  readonly float: GpuFloat;
  readonly tables: DecoderTables;
  /** Of a prompt, the rows of its picture. */
  readonly pictureTokens: number;
  /** Whom the caches' memory is offered to while no sequence is open. */
  readonly offersTo: LentRoom | null;
}

/** New tokens that the first caches have room for at least. */
const FIRST_ROOM = 31;
/** Where it is known how long prompts are, caches have room for whole multiples of so many tokens. */
const CAPTION_STEP = 8;

export class GpuDecoder implements Disposable {
  readonly #parts: GpuDecoderParts;
  readonly #wires: DecoderWires;
  readonly #caches: GrowingCaches;
  readonly #total: HostBuffer;
  readonly #rowShape: RowShape;
  readonly #runs: RowRuns;

  constructor(parts: GpuDecoderParts) {
    const { config, float, program } = parts;
    this.#parts = parts;
    this.#wires = decoderWires(config, float, parts.tables);
    const layers = program.devicesOf(config.family === 'opt' ? 'opt-layer' : 'llama-layer');
    const [first] = layers;
    if (first === undefined) throw new Error('a decoder without layers');
    this.#total = first.memory.allocateHost(4);
    this.#rowShape = new RowShape(first.memory);
    this.#runs = new RowRuns({
      ...parts,
      wiresOf: (shape, place) => this.#wiresOf(shape, place),
      // No card has run LLaMA's so.
      promptsRecorded: ({ rows }, place) => (rows === 1 && place === 0 && config.family === 'opt' ? 'again' : 'never'),
    });
    const shape = { layers, heads: config.heads, headSize: headSize(config) };
    this.#caches = new GrowingCaches(shape, () => this.#runs.forget(), parts.offersTo);
  }

  get streams(): boolean {
    return this.#parts.program.streams;
  }

  /** One prompt at a time: the next one overwrites the caches of the last. */
  tokens(prompt: LanguagePrompt): TokenSource {
    return sourceOf(this.#source(prompt.room), prompt);
  }

  /**
   * Prompts that begin beside others; null where a device's provider takes only whole buffers, and prompts therefore one
   * after the other, and where what a picture's rows are depends on those beside it.
   */
  rolling(room: DecodingRoom): RollingSource<LanguagePrompt> | null {
    const isNarrow = this.#wires.width !== this.#parts.config.hiddenSize;
    return this.#parts.program.keepsShapes || isNarrow ? null : this.#source(room);
  }

  reserve({ rows, newTokens, promptTokens }: DecodingRoom): void {
    if (rows === 1 || promptTokens === undefined) return;
    if (promptTokens > this.#parts.pictureTokens + 1) {
      this.#caches.reserve(rows, promptTokens + Math.max(newTokens, FIRST_ROOM));
    } else this.#caches.reserve(rows, promptTokens + newTokens, CAPTION_STEP);
  }

  #source({ rows: most, newTokens, promptTokens }: DecodingRoom = { rows: 0, newTokens: 0 }) {
    const caches = () => this.#caches.reserve(0, 0);
    return rowSource<LanguagePrompt>({
      vocabSize: this.#parts.config.vocabSize,
      listsLogits: this.#parts.program.listsLogits,
      reserve: (rows, tokens) => void this.#caches.reserve(rows, tokens),
      copyRows: (copies) => caches().copyRows(copies),
      zeroRows: (rows) => caches().zeroRows(rows),
      stepRows: (used) => stepRows(this.#parts.program, used, caches().rows),
      begin: (prompt, going) => {
        const prompts = this.#promptRows(prompt);
        // A picture and the token that a text begins with.
        const shortest = (prompt.prefix.dims[1] ?? 0) + 1;
        const lengths = prompts.map(({ length }) => length);
        const longest = Math.max(...lengths);
        const room = Math.max(going + prompts.length, most);
        if (promptTokens !== undefined) this.#caches.reserve(room, longest + newTokens, CAPTION_STEP);
        else this.#caches.reserve(room, longest + Math.max(newTokens, FIRST_ROOM));
        return { lengths, run: (first, result) => this.#prefill(prompts, { first, shortest }, result) };
      },
      step: (ids, past) => {
        const tokens = ids.map((id) => (id === null ? null : [this.#wires.rowOfToken(id)]));
        return this.#run({ rows: ids.length, tokens: 1 }, { rows: tokens, past }, 0);
      },
    });
  }

  /**
   * Picture and text of each prompt, without padding. Where the token table is narrower than the decoder, transformers
   * fills the placeholders with the picture's numbers in memory order (`masked_scatter`); so the same is done here.
   */
  #promptRows({ prefix, textIds, textMask }: LanguagePrompt): StoredRows[][] {
    const { width } = this.#wires;
    const pictureTokens = prefix.dims[1] ?? 0;
    const picture = tensorRows(prefix, width);
    return textIds.map((ids, row) => {
      const seen = ids.filter((_, token) => textMask[row]?.[token] === 1);
      const rows = picture.slice(row * pictureTokens, (row + 1) * pictureTokens);
      return [...rows, ...seen.map((id) => this.#wires.rowOfToken(id))];
    });
  }

  /** @param place the first row of the caches for them, and the length of the shortest prompt there can be */
  #prefill<Result>(
    prompts: readonly StoredRows[][],
    { first, shortest }: { readonly first: number; readonly shortest: number },
    { read, kept, join }: StepResult<Result>,
  ): Result {
    const longest = Math.max(...prompts.map(({ length }) => length));
    const caches = this.#caches.reserve(prompts.length, longest);
    const { keepsShapes } = this.#parts.program;
    const stretch = keepsShapes ? shortest : Infinity;
    if (!keepsShapes && prompts.every(({ length }) => length === longest)) {
      const shape = { rows: prompts.length, tokens: longest };
      const made = this.#run(shape, { rows: prompts, past: prompts.map(() => 0) }, first);
      return read(made, [...prompts.keys()]);
    }
    // One after the other: there is no padding to mask. Where only whole buffers are bound, each in the first row.
    const results = [...prompts.entries()].toReversed().map(([row, tokens]) => {
      const result = kept(read(this.#runPrompt(tokens, stretch, keepsShapes ? 0 : first + row), [0]));
      if (keepsShapes && row > 0) caches.copyRows([{ from: 0, to: row }]);
      return result;
    });
    return join(results.toReversed());
  }

  /**
   * A prompt in a row. Where few shapes should run, in stretches of one length: the last one begins before the end of the one
   * before it, and makes there what is there.
   */
  #runPrompt(prompt: readonly StoredRows[], stretch: number, row: number): StepRun {
    const run = (past: number): StepRun => {
      const tokens = prompt.slice(past, past + stretch);
      return this.#run({ rows: 1, tokens: tokens.length }, { rows: [tokens], past: [past] }, row);
    };
    let past = 0;
    for (; prompt.length - past > stretch; past += stretch) run(past);
    return run(this.#parts.program.keepsShapes ? Math.max(prompt.length - stretch, 0) : past);
  }

  #run(shape: RunShape, tokens: NewTokens, first: number): StepRun {
    const caches = this.#caches.reserve(first + shape.rows, shape.tokens);
    const run = this.#runs.of(shape, first);
    // A recorded run is replayed with the total that it was recorded with; the lengths on the device do the masking.
    const total =
      shape.tokens === 1 && this.#parts.program.recordsAny ? caches.capacity : Math.max(...tokens.past) + shape.tokens;
    new DataView(this.#total.bytes.buffer).setInt32(0, total, true);
    this.#rowShape.set(shape);
    run.run((wire, bytes) => this.#wires.write(wire, bytes, tokens, caches.capacity), true);
    return run;
  }

  #wiresOf(shape: RunShape, place: { readonly first: number }): ProgramWires {
    const { config, float } = this.#parts;
    const caches = this.#caches.reserve(0, 0);
    return {
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
  }

  [Symbol.dispose](): void {
    this.#runs[Symbol.dispose]();
  }
}

/** The rows of a tensor of floats, each `width` values long. */
function tensorRows({ data, type }: LanguagePrompt['prefix'], width: number): StoredRows[] {
  const { buffer, byteOffset, byteLength } = data as Float32Array | Uint16Array;
  const dtype = type === 'float16' ? 'F16' : 'F32';
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const rowBytes = (width * DTYPE_BITS[dtype]) / 8;
  return Array.from({ length: byteLength / rowBytes }, (_, row) => ({
    bytes: bytes.subarray(row * rowBytes, (row + 1) * rowBytes),
    dtype,
  }));
}
