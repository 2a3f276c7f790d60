/** OPT or LLaMA on a device: tokens go in as rows, logits come out, and everything between stays where it is. */
import { DTYPE_BITS } from '../../../../tensor/dtype.js';
import type { DecoderOnlyConfig } from '../../../../model/language-config.js';
import type { TokenSource, TokenSteps } from '../../../generation/token-source.js';
import type { GpuFloat } from '../../../graph/gpu/gpu-style.js';
import { headSize, type CachePart } from '../../../graph/wires.js';
import type { LanguagePrompt } from '../../../session/language-prompt.js';
import type { HostBuffer } from '../../memory/device-memory.js';
import type { BoundTensor } from '../../ort/ort-session.js';
import { CacheRows } from './cache-rows.js';
import type { RowCopy } from './cache-slots.js';
import { DecoderWires, type DecoderTables, type NewTokens, type RunShape } from './decoder-wires.js';
import { GrowingCaches } from './growing-caches.js';
import type { LayerCaches } from './layer-caches.js';
import { ProgramRun, type ProgramRunParts } from '../program/program-run.js';
import { LIKELIEST, logitsOf, resultWires, type StepResult } from './step-result.js';
import type { StoredRows } from './table-rows.js';

export interface GpuDecoderParts extends ProgramRunParts {
  readonly config: DecoderOnlyConfig;
  /** Of what the host gives to the devices. */
  readonly float: GpuFloat;
  readonly tables: DecoderTables;
}

/** New tokens that the first caches have room for at least. */
const FIRST_ROOM = 31;

export class GpuDecoder implements Disposable {
  readonly #parts: GpuDecoderParts;
  readonly #wires: DecoderWires;
  readonly #caches: GrowingCaches;
  /** The longest row with its new tokens, which the operator asks for on the host. */
  readonly #total: HostBuffer;
  /** Of whole prompts the newest shape only, of single tokens all. */
  readonly #runs = new Map<string, { readonly shape: RunShape; readonly run: ProgramRun }>();

  constructor(parts: GpuDecoderParts) {
    const { config, float, program } = parts;
    this.#parts = parts;
    this.#wires = new DecoderWires(config, float, parts.tables);
    const layers = program.devicesOf(config.family === 'opt' ? 'opt-layer' : 'llama-layer');
    const [first] = layers;
    if (first === undefined) throw new Error('a decoder without layers');
    this.#total = first.memory.allocateHost(4);
    const shape = { layers, heads: config.heads, headSize: headSize(config) };
    this.#caches = new GrowingCaches(shape, () => this.#forgetRuns());
  }

  /** One prompt at a time: the next one overwrites the caches of the last. */
  tokens(prompt: LanguagePrompt): TokenSource {
    const { vocabSize } = this.#parts.config;
    let rows = new CacheRows([]);
    const stepsFor = <Result>(result: StepResult<Result>): TokenSteps<Result> => ({
      prefill: () => {
        const prompts = this.#promptRows(prompt);
        // A picture and the token that a text begins with.
        const shortest = (prompt.prefix.dims[1] ?? 0) + 1;
        rows = new CacheRows(prompts.map(({ length }) => length));
        const longest = Math.max(...prompts.map(({ length }) => length));
        const { rows: most = 0, newTokens = 0 } = prompt.room ?? {};
        this.#caches.reserve(Math.max(prompts.length, most), longest + Math.max(newTokens, FIRST_ROOM));
        return Promise.resolve(this.#prefill(prompts, shortest, result));
      },
      advance: (ids, parents) => {
        const caches = this.#caches.reserve(Math.max(parents.length, rows.count), rows.length + 1);
        const copies: RowCopy[] = [];
        rows.continueFrom(parents, (from, to) => copies.push({ from, to }));
        caches.copyRows(copies);
        const tokens: (StoredRows[] | null)[] = rows.lengths.map(() => null);
        rows.slots.forEach((slot, row) => (tokens[slot] = [this.#wires.rowOfToken(ids[row] ?? 0)]));
        const shape = { rows: rows.count, tokens: 1 };
        const bytes = this.#run(shape, { rows: tokens, past: rows.lengths }, result.wire);
        const next = result.read(bytes, rows.slots);
        rows.grow();
        return Promise.resolve(next);
      },
    });
    return { vocabSize, ...stepsFor(logitsOf(vocabSize)), likeliest: stepsFor(LIKELIEST) };
  }

  /**
   * Picture and text of each prompt, without padding. Where the token table is narrower than the decoder, transformers
   * fills the placeholders with the picture's numbers in memory order (`masked_scatter`); so the same is done here.
   */
  #promptRows({ prefix, textIds, textMask }: LanguagePrompt): StoredRows[][] {
    const { width } = this.#wires;
    const picture = tensorRows(prefix, width);
    const pictureTokens = prefix.dims[1] ?? 0;
    return textIds.map((ids, row) => {
      const seen = ids.filter((_, token) => textMask[row]?.[token] === 1);
      const rows = picture.slice(row * pictureTokens, (row + 1) * pictureTokens);
      return [...rows, ...seen.map((id) => this.#wires.rowOfToken(id))];
    });
  }

  #prefill<Result>(
    prompts: readonly StoredRows[][],
    shortest: number,
    { wire, read, join }: StepResult<Result>,
  ): Result {
    const longest = Math.max(...prompts.map(({ length }) => length));
    const caches = this.#caches.reserve(prompts.length, longest);
    const limits = this.#parts.program.units.map(({ device }) => device.queryLimit ?? Infinity);
    const stretch = Math.min(...limits, this.#keepsShapes ? shortest : Infinity);
    if (!this.#keepsShapes && longest <= stretch && prompts.every(({ length }) => length === longest)) {
      const shape = { rows: prompts.length, tokens: longest };
      return read(this.#run(shape, { rows: prompts, past: prompts.map(() => 0) }, wire), [...prompts.keys()]);
    }
    // One after the other, each in the first row: there is no padding to mask, and no shape for each number of prompts.
    const results = [...prompts.entries()].toReversed().map(([row, tokens]) => {
      const result = read(this.#runPrompt(tokens, stretch, wire), [0]);
      if (row > 0) caches.copyRows([{ from: 0, to: row }]);
      return result;
    });
    return join(results.toReversed());
  }

  /**
   * A prompt in the first row, in stretches that the devices take. Where few shapes should run, all stretches have one length:
   * the last one begins before the end of the one before it, and makes there what is there.
   */
  #runPrompt(prompt: readonly StoredRows[], stretch: number, wire: string): Uint8Array {
    const run = (past: number): Uint8Array => {
      const tokens = prompt.slice(past, past + stretch);
      return this.#run({ rows: 1, tokens: tokens.length }, { rows: [tokens], past: [past] }, wire);
    };
    let past = 0;
    for (; prompt.length - past > stretch; past += stretch) run(past);
    return run(this.#keepsShapes ? Math.max(prompt.length - stretch, 0) : past);
  }

  get #keepsShapes(): boolean {
    return this.#parts.program.units.some(({ device }) => device.keepsShapes);
  }

  /** The bytes of a result, good until the next run. */
  #run(shape: RunShape, tokens: NewTokens, result: string): Uint8Array {
    const caches = this.#caches.reserve(shape.rows, shape.tokens);
    const run = this.#runOf(shape, caches);
    // A recorded run is replayed with the total that it was recorded with; the lengths on the device do the masking.
    const total = shape.tokens === 1 && this.#records ? caches.capacity : Math.max(...tokens.past) + shape.tokens;
    new DataView(this.#total.bytes.buffer).setInt32(0, total, true);
    run.run((wire, bytes) => this.#wires.write(wire, bytes, tokens, caches.capacity), true);
    return run.read(result);
  }

  get #records(): boolean {
    const { program } = this.#parts;
    return program.units.some(({ device }) => program.records(device));
  }

  #runOf(shape: RunShape, caches: LayerCaches): ProgramRun {
    const key = `${shape.rows}x${shape.tokens}`;
    const known = this.#runs.get(key);
    if (known !== undefined) return known.run;
    if (shape.tokens > 1) this.#forgetRuns(({ tokens }) => tokens > 1);
    const { config, float } = this.#parts;
    const wires = {
      inputs: this.#wires.types(shape, caches.capacity),
      chains: new Map([
        ['hidden', { dtype: float, dims: [shape.rows, shape.tokens, config.hiddenSize] }],
        ['embedded', { dtype: float, dims: [shape.rows, shape.tokens, this.#wires.width] }],
      ]),
      results: resultWires(shape.rows, config.vocabSize),
      kept: (wire: string): BoundTensor | undefined => {
        if (wire === 'total') return { place: 'Cpu', address: this.#total.address, dtype: 'I32', dims: [1] };
        const cache = /^(?:past|present)\.(\d+)\.(key|value)$/.exec(wire);
        return cache === null ? undefined : caches.tensor(Number(cache[1]), cache[2] as CachePart, shape.rows);
      },
    };
    const run = new ProgramRun(this.#parts, wires, shape.tokens === 1);
    this.#runs.set(key, { shape, run });
    return run;
  }

  #forgetRuns(which: (shape: RunShape) => boolean = () => true): void {
    for (const [key, { shape, run }] of this.#runs) {
      if (!which(shape)) continue;
      run[Symbol.dispose]();
      this.#runs.delete(key);
    }
  }

  [Symbol.dispose](): void {
    this.#forgetRuns();
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
