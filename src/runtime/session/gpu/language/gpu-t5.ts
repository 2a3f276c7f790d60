/** T5 on a device: the encoder runs once per prompt, and the decoder reads what cross-attention made of it. */
import type { T5Config } from '../../../../model/t5-config.js';
import type { TokenSource, TokenSteps } from '../../../generation/token-source.js';
import type { GpuFloat } from '../../../graph/gpu/gpu-style.js';
import type { CachePart } from '../../../graph/wires.js';
import { fullMasks, type LanguagePrompt } from '../../model/language-prompt.js';
import type { Mask } from '../../model/attention-bias.js';
import { CacheRows } from './cache-rows.js';
import type { RowCopy } from './cache-slots.js';
import { GrowingCaches } from './growing-caches.js';
import type { GpuProgram } from '../program/gpu-program.js';
import type { LayerCaches } from './layer-caches.js';
import { ProgramRun, type ProgramRunParts } from '../program/program-run.js';
import { RowShape } from './row-shape.js';
import { LIKELIEST, listedOf, logitsOf, type StepRun, resultWires, type StepResult } from './step-result.js';
import { T5Wires, type T5Tables } from './t5-wires.js';

export interface GpuT5Parts extends ProgramRunParts {
  /** From prompts to what cross-attention reads; `program` is the decoder. */
  readonly encoder: GpuProgram;
  readonly config: T5Config;
  /** Of what the host gives to the devices. */
  readonly float: GpuFloat;
  readonly tables: T5Tables;
}

/** New tokens that the first caches have room for. */
const FIRST_ROOM = 64;
/** Prompts are encoded with as many tokens as these caches have room for, so that is little more than they need. */
const PROMPT_STEP = 8;

export class GpuT5 implements Disposable {
  readonly #parts: GpuT5Parts;
  readonly #wires: T5Wires;
  readonly #self: GrowingCaches;
  /** Of whole prompts, filled up to the room there is; what is behind a prompt is hidden like its padding. */
  readonly #cross: GrowingCaches;
  #promptRun: { readonly key: string; readonly run: ProgramRun } | null = null;
  readonly #rowShape: RowShape;
  /** By the number of rows. */
  readonly #tokenRuns = new Map<number, ProgramRun>();

  constructor(parts: GpuT5Parts) {
    const { config, float, program } = parts;
    this.#parts = parts;
    this.#wires = new T5Wires(config, float, parts.tables);
    const layers = program.devicesOf('t5-decoder-layer');
    const [first] = layers;
    if (first === undefined) throw new Error('a decoder without layers');
    this.#rowShape = new RowShape(first.memory);
    const shape = { layers, heads: config.heads, headSize: config.headSize };
    this.#self = new GrowingCaches(shape, () => this.#forgetRuns());
    this.#cross = new GrowingCaches(shape, () => this.#forgetRuns());
  }

  get streams(): boolean {
    return this.#parts.program.streams;
  }

  /** One prompt at a time: the next one overwrites the caches of the last. */
  tokens(prompt: LanguagePrompt): TokenSource {
    const { config } = this.#parts;
    const masks = fullMasks(prompt);
    let rows = new CacheRows();
    /** The prompt of each row of the caches. */
    const pictures: number[] = [];
    const step = <Result>(ids: readonly number[], { read }: StepResult<Result>): Promise<Result> => {
      const idsOfRows = rows.lengths.map(() => config.padTokenId);
      rows.slots.forEach((slot, sequence) => (idsOfRows[slot] = ids[sequence] ?? 0));
      const masksOfRows = rows.lengths.map((_, row) => masks[pictures[row] ?? 0] ?? []);
      const next = read(this.#step(idsOfRows, rows.length, masksOfRows), rows.slots);
      rows.grow();
      return Promise.resolve(next);
    };
    const stepsFor = <Result>(result: StepResult<Result>): TokenSteps<Result> => ({
      prefill: () => {
        const { rows: most = 0, newTokens = 0 } = prompt.room ?? {};
        this.#cross.reserve(Math.max(masks.length, most), masks[0]?.length ?? 0, PROMPT_STEP);
        this.#self.reserve(Math.max(masks.length, most), Math.max(newTokens, FIRST_ROOM));
        this.#encode(prompt, masks);
        rows = new CacheRows();
        rows.begin(masks.map(() => 0));
        pictures.splice(0, pictures.length, ...masks.keys());
        const first = masks.map(() => config.decoderStartTokenId);
        return step(first, result);
      },
      advance: (ids, parents) => {
        const count = Math.max(parents.length, rows.lengths.length);
        const self = this.#self.reserve(count, rows.length + 1);
        const cross = this.#cross.reserve(count, 1, PROMPT_STEP);
        const copies: RowCopy[] = [];
        rows.continueFrom(parents, (from, to) => copies.push({ from, to }));
        self.copyRows(copies);
        cross.copyRows(copies.filter(({ from, to }) => pictures[to] !== pictures[from]));
        for (const { from, to } of copies) pictures[to] = pictures[from] ?? 0;
        return step(ids, result);
      },
    });
    const clear = (sequences: readonly number[]): void => {
      for (const caches of [this.#self, this.#cross]) caches.reserve(0, 0).zeroRows(rows.slotsOf(sequences));
    };
    const { vocabSize } = config;
    const listed = this.#parts.program.listsLogits
      ? { listed: (divisor: number) => stepsFor(listedOf(vocabSize, divisor)) }
      : {};
    return { vocabSize, clear, ...stepsFor(logitsOf(vocabSize)), likeliest: stepsFor(LIKELIEST), ...listed };
  }

  #encode(prompt: LanguagePrompt, masks: readonly Mask[]): void {
    const count = masks.length;
    const caches = this.#cross.reserve(count, masks[0]?.length ?? 0, PROMPT_STEP);
    const length = caches.capacity;
    const run = this.#promptRunOf(count, caches);
    run.run((wire, bytes) => this.#wires.writePrompt(wire, bytes, prompt, length));
  }

  #promptRunOf(rows: number, caches: LayerCaches): ProgramRun {
    const length = caches.capacity;
    const key = `${rows}x${length}`;
    if (this.#promptRun?.key === key) return this.#promptRun.run;
    this.#promptRun?.run[Symbol.dispose]();
    this.#promptRun = null;
    const { encoder, config, float } = this.#parts;
    const dims = [rows, length, config.hiddenSize];
    const wires = {
      inputs: this.#wires.promptTypes(rows, length),
      chains: new Map([
        ['encoder_hidden', { dtype: 'F32', dims } as const],
        ['encoded', { dtype: float, dims }],
      ]),
      kept: (wire: string) => cacheTensor(wire, { cross: caches }, rows),
    };
    const run = new ProgramRun({ ...this.#parts, program: encoder }, wires, rows === 1 ? 'again' : 'never');
    this.#promptRun = { key, run };
    return run;
  }

  #step(ids: readonly number[], past: number, masks: readonly Mask[]): StepRun {
    const self = this.#self.reserve(ids.length, Math.max(past + 1, FIRST_ROOM));
    const cross = this.#cross.reserve(ids.length, 1, PROMPT_STEP);
    const run = this.#tokenRunOf(ids.length, self, cross);
    const room = { capacity: self.capacity, promptLength: cross.capacity };
    this.#rowShape.set({ rows: ids.length, tokens: 1 });
    run.run((wire, bytes) => this.#wires.writeToken(wire, bytes, { ids, past, masks }, room), true);
    return run;
  }

  #tokenRunOf(rows: number, self: LayerCaches, cross: LayerCaches): ProgramRun {
    const known = this.#tokenRuns.get(rows);
    if (known !== undefined) return known;
    const { config, float } = this.#parts;
    const dims = [rows, 1, config.hiddenSize];
    const wires = {
      inputs: this.#wires.tokenTypes({ rows, tokens: 1 }, self.capacity, cross.capacity),
      chains: new Map([
        ['hidden', { dtype: 'F32', dims } as const],
        ['decoded', { dtype: float, dims }],
      ]),
      results: resultWires(rows, config.vocabSize),
      kept: (wire: string) =>
        wire === 'row_shape' ? this.#rowShape.tensor : cacheTensor(wire, { past: self, present: self, cross }, rows),
    };
    const run = new ProgramRun(this.#parts, wires, 'at once');
    this.#tokenRuns.set(rows, run);
    return run;
  }

  #forgetRuns(): void {
    this.#promptRun?.run[Symbol.dispose]();
    this.#promptRun = null;
    for (const run of this.#tokenRuns.values()) run[Symbol.dispose]();
    this.#tokenRuns.clear();
  }

  [Symbol.dispose](): void {
    this.#forgetRuns();
  }
}

function cacheTensor(wire: string, caches: Readonly<Record<string, LayerCaches>>, rows: number) {
  const parts = /^(past|present|cross)\.(\d+)\.(key|value)$/.exec(wire);
  return caches[parts?.[1] ?? '']?.tensor(Number(parts?.[2]), parts?.[3] as CachePart, rows);
}
