/** T5 on a device: the encoder runs once per prompt, and the decoder reads what cross-attention made of it. */
import type { T5Config } from '../../../../model/t5-config.js';
import type { RollingSource } from '../../../generation/rolling-source.js';
import type { TokenSource } from '../../../generation/token-source.js';
import type { GpuFloat } from '../../../graph/gpu/gpu-style.js';
import type { CachePart } from '../../../graph/wires.js';
import type { Mask } from '../../model/attention-bias.js';
import { fullMasks, type DecodingRoom, type LanguagePrompt } from '../../model/language-prompt.js';
import type { RowCopy } from './cache-slots.js';
import { GrowingCaches } from './growing-caches.js';
import type { GpuProgram } from '../program/gpu-program.js';
import type { LayerCaches } from './layer-caches.js';
import type { ProgramRunParts } from '../program/program-run.js';
import type { ProgramWires } from '../program/program-wires.js';
import { RowRuns, type RunShape } from './row-runs.js';
import { RowShape } from './row-shape.js';
import { rowSource, sourceOf } from './row-source.js';
import { stepRows } from './step-rows.js';
import { resultWires, type StepResult, type StepRun } from './step-result.js';
import { T5Wires, type NewT5Tokens, type T5Tables } from './t5-wires.js';

export interface GpuT5Parts extends ProgramRunParts {
  /** From prompts to what cross-attention reads; `program` is the decoder. */
  readonly encoder: GpuProgram;
  readonly config: T5Config;
  /** Of what the host gives to the devices. */
  readonly float: GpuFloat;
  readonly tables: T5Tables;
  /** Whether pictures are encoded while no sequence is open. */
  readonly takesTurns: boolean;
}

/** New tokens that the first caches have room for, where nobody knows how many there will be. */
const FIRST_ROOM = 64;
/** Prompts are encoded with as many tokens as these caches have room for, so that is little more than they need. */
const PROMPT_STEP = 8;

/** A prompt in a row of the caches: beams of one picture share it. */
interface Encoded {
  readonly tokens: number;
}

export class GpuT5 implements Disposable {
  readonly #parts: GpuT5Parts;
  readonly #wires: T5Wires;
  /** Of new tokens. Its rows are those that steps have: they grow last, so that the others are there where memory runs out. */
  readonly #self: GrowingCaches;
  /** Of whole prompts, filled up to the room there is; what is behind a prompt is hidden like its padding. */
  readonly #cross: GrowingCaches;
  readonly #rowShape: RowShape;
  readonly #prompts: RowRuns;
  readonly #tokens: RowRuns;
  /** What is in each row of the caches of prompts. */
  #encoded: Encoded[] = [];

  constructor(parts: GpuT5Parts) {
    const { config, encoder, float, program } = parts;
    this.#parts = parts;
    this.#wires = new T5Wires(config, float, parts.tables);
    const layers = program.devicesOf('t5-decoder-layer');
    const [first] = layers;
    if (first === undefined) throw new Error('a decoder without layers');
    this.#rowShape = new RowShape(first.memory);
    const shape = { layers, heads: config.heads, headSize: config.headSize };
    const forget = (): void => {
      this.#prompts.forget();
      this.#tokens.forget();
    };
    this.#self = new GrowingCaches(shape, forget);
    this.#cross = new GrowingCaches(shape, forget);
    this.#prompts = new RowRuns({
      ...parts,
      program: encoder,
      wiresOf: (run, place) => this.#promptWires(run, place),
      promptsRecorded: ({ rows }, place) => (rows === 1 && place === 0 ? 'again' : 'never'),
    });
    this.#tokens = new RowRuns({ ...parts, wiresOf: (run, place) => this.#tokenWires(run, place) });
  }

  get streams(): boolean {
    return this.#parts.program.streams;
  }

  /** One prompt at a time: the next one overwrites the caches of the last. */
  tokens(prompt: LanguagePrompt): TokenSource {
    return sourceOf(this.#source(prompt.room), prompt);
  }

  /**
   * Prompts that begin beside others; null where a device's provider takes only whole buffers, and where few would begin at a time or
   * weights are copied for every run: the first tokens of those that begin are a run more. In 6 GiB of an H200 flan-t5-xl makes 132
   * pictures a second so, and 202 in batches.
   */
  rolling(room: DecodingRoom): RollingSource<LanguagePrompt> | null {
    const { encoder, program, takesTurns } = this.#parts;
    const isWhole = !this.streams && !encoder.streams && !takesTurns;
    return program.keepsShapes || !isWhole ? null : this.#source(room);
  }

  reserve({ rows, newTokens, promptTokens }: DecodingRoom): void {
    if (rows === 1 || promptTokens === undefined) return;
    this.#cross.reserve(rows, promptTokens, PROMPT_STEP);
    this.#self.reserve(rows, Math.max(newTokens, FIRST_ROOM));
  }

  #source({ rows: most, newTokens, promptTokens = 0 }: DecodingRoom = { rows: 0, newTokens: 0 }) {
    const { config, program } = this.#parts;
    return rowSource<LanguagePrompt>({
      vocabSize: config.vocabSize,
      listsLogits: program.listsLogits,
      reserve: (rows, tokens) => {
        this.#cross.reserve(rows, 1, PROMPT_STEP);
        this.#self.reserve(rows, Math.max(tokens, FIRST_ROOM));
      },
      copyRows: (copies) => this.#copyRows(copies),
      zeroRows: (rows) => {
        for (const caches of [this.#self, this.#cross]) caches.reserve(0, 0).zeroRows(rows);
      },
      stepRows: (used) => stepRows(program, used, this.#self.reserve(0, 0).rows),
      begin: (prompt, going) => {
        const count = prompt.textIds.length;
        const room = Math.max(going + count, most);
        const longest = (prompt.prefix.dims[1] ?? 0) + (prompt.textIds[0]?.length ?? 0);
        this.#cross.reserve(room, Math.max(longest, promptTokens), PROMPT_STEP);
        this.#self.reserve(room, Math.max(newTokens, FIRST_ROOM));
        const lengths = Array.from({ length: count }, () => 1);
        return { lengths, run: (first, result) => this.#prefill(prompt, first, result) };
      },
      step: (ids, past) => this.#step(ids, past, 0),
    });
  }

  #copyRows(copies: readonly RowCopy[]): void {
    this.#self.reserve(0, 0).copyRows(copies);
    const moved = copies.filter(({ from, to }) => this.#encoded[to] !== this.#encoded[from]);
    this.#cross.reserve(0, 0).copyRows(moved);
    for (const { from, to } of moved) this.#encoded[to] = this.#encoded[from] ?? NOTHING;
  }

  /** The encoder, and the decoder's first token. */
  #prefill<Result>(prompt: LanguagePrompt, first: number, { read }: StepResult<Result>): Result {
    const rows = prompt.textIds.length;
    const tokens = this.#cross.reserve(0, 0).capacity;
    const run = this.#prompts.of({ rows, tokens }, first);
    run.run((wire, bytes) => this.#wires.writePrompt(wire, bytes, prompt, tokens));
    const encoded = fullMasks(prompt).map((mask) => ({ tokens: seenTokens(mask) }));
    while (this.#encoded.length < first) this.#encoded.push(NOTHING);
    this.#encoded.splice(first, rows, ...encoded);
    const { decoderStartTokenId } = this.#parts.config;
    const made = this.#step(
      encoded.map(() => decoderStartTokenId),
      encoded.map(() => 0),
      first,
    );
    return read(made, [...encoded.keys()]);
  }

  #step(ids: readonly (number | null)[], past: readonly number[], first: number): StepRun {
    const shape = { rows: ids.length, tokens: 1 };
    const run = this.#tokens.of(shape, first);
    const promptTokens = past.map((_, row) => this.#encoded[first + row]?.tokens ?? 1);
    const given: NewT5Tokens = { ids, past, promptTokens };
    const room = { capacity: this.#self.reserve(0, 0).capacity, promptLength: this.#cross.reserve(0, 0).capacity };
    this.#rowShape.set(shape);
    run.run((wire, bytes) => this.#wires.writeToken(wire, bytes, given, room), true);
    return run;
  }

  #promptWires({ rows, tokens }: RunShape, place: { readonly first: number }): ProgramWires {
    const { config, float } = this.#parts;
    const dims = [rows, tokens, config.hiddenSize];
    const caches = { cross: this.#cross.reserve(0, 0) };
    return {
      inputs: this.#wires.promptTypes(rows, tokens),
      chains: new Map([
        ['encoder_hidden', { dtype: 'F32', dims } as const],
        ['encoded', { dtype: float, dims }],
      ]),
      kept: (wire) => cacheTensor(wire, caches, rows, place.first),
    };
  }

  #tokenWires(shape: RunShape, place: { readonly first: number }): ProgramWires {
    const { config, float } = this.#parts;
    const [self, cross] = [this.#self.reserve(0, 0), this.#cross.reserve(0, 0)];
    const caches = { past: self, present: self, cross };
    const dims = [shape.rows, 1, config.hiddenSize];
    const biasRows = this.#parts.program.keepsShapes ? 1 : shape.rows;
    const room = { capacity: self.capacity, promptLength: cross.capacity };
    return {
      inputs: this.#wires.tokenTypes(shape.rows, biasRows, room),
      chains: new Map([
        ['hidden', { dtype: 'F32', dims } as const],
        ['decoded', { dtype: float, dims }],
      ]),
      results: resultWires(shape.rows, config.vocabSize),
      kept: (wire) =>
        wire === 'row_shape' ? this.#rowShape.tensor : cacheTensor(wire, caches, shape.rows, place.first),
    };
  }

  [Symbol.dispose](): void {
    this.#prompts[Symbol.dispose]();
    this.#tokens[Symbol.dispose]();
  }
}

/** Padding is on the right: positions count every slot. */
function seenTokens(mask: Mask): number {
  const seen = mask.lastIndexOf(1) + 1;
  if (mask.indexOf(0) !== -1 && mask.indexOf(0) < seen) throw new Error('a prompt with padding in it');
  return seen;
}

const NOTHING: Encoded = { tokens: 1 };

function cacheTensor(wire: string, caches: Readonly<Record<string, LayerCaches>>, rows: number, first: number) {
  const parts = /^(past|present|cross)\.(\d+)\.(key|value)$/.exec(wire);
  return caches[parts?.[1] ?? '']?.tensor(Number(parts?.[2]), parts?.[3] as CachePart, rows, first);
}
