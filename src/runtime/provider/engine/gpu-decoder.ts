/** OPT on a device: tokens go in as rows, logits come out, and everything between stays where it is. */
import type { OptConfig } from '../../../model/language-config.js';
import type { TokenSource } from '../../generation/token-source.js';
import type { GpuFloat } from '../../graph/gpu/gpu-style.js';
import type { LanguagePrompt } from '../../session/language-prompt.js';
import type { Address, DeviceMemory, HostBuffer } from '../memory/device-memory.js';
import { RunOptions, type BoundTensor, type OrtBinding } from '../ort/ort-session.js';
import { assignSlots } from './cache-slots.js';
import type { GpuProgram } from './gpu-program.js';
import { KvBuffers } from './kv-buffers.js';
import type { TokenRows } from './token-rows.js';

/** Rows of the caches that run together, and their new tokens. */
interface RunShape {
  readonly first: number;
  readonly rows: number;
  readonly tokens: number;
}

interface BoundRun {
  readonly bindings: readonly OrtBinding[];
  readonly options: RunOptions;
}

interface TokenBuffers {
  readonly elements: number;
  /** Between units, in turns. */
  readonly hidden: readonly [Address, Address];
  readonly staging: HostBuffer;
}

export interface GpuDecoderParts {
  readonly program: GpuProgram;
  readonly memory: DeviceMemory;
  readonly config: OptConfig;
  readonly float: GpuFloat;
  readonly tokenRows: TokenRows;
  /** Whether the provider may record a run of one token and replay it. */
  readonly records: boolean;
}

/** Caches grow by this many tokens. */
const CAPACITY_STEP = 64;
/** New tokens that the first caches have room for at least. */
const FIRST_ROOM = 31;

export class GpuDecoder implements Disposable {
  readonly #parts: GpuDecoderParts;
  readonly #total: HostBuffer;
  readonly #bound = new Map<string, BoundRun>();
  #caches: KvBuffers | null = null;
  #tokens: TokenBuffers | null = null;
  #rows: {
    readonly count: number;
    readonly seqlens: Address;
    readonly logits: Address;
    readonly host: HostBuffer;
  } | null = null;
  #recordings = 0;

  constructor(parts: GpuDecoderParts) {
    this.#parts = parts;
    this.#total = parts.memory.allocateHost(4);
  }

  /** One prompt at a time: the next one overwrites the caches of the last. */
  tokens(prompt: LanguagePrompt): TokenSource {
    const { config } = this.#parts;
    const { vocabSize } = config;
    let slots: readonly number[] = [];
    /** Tokens in each row of the caches. */
    let lengths: number[] = [];
    return {
      vocabSize,
      prefill: () => {
        const rows = this.#promptRows(prompt);
        slots = rows.map((_, row) => row);
        lengths = rows.map((row) => row.length);
        return Promise.resolve(this.#prefill(rows));
      },
      advance: (ids, parents) => {
        const caches = this.#reserve(Math.max(parents.length, lengths.length), Math.max(...lengths) + 1);
        lengths = Array.from({ length: Math.max(parents.length, lengths.length) }, (_, row) => lengths[row] ?? 0);
        const change = assignSlots(slots, parents, lengths.length);
        for (const { from, to } of change.copies) {
          caches.copyRow(from, to);
          lengths[to] = lengths[from] ?? 0;
        }
        slots = change.slots;
        const logits = this.#advance(ids, slots, lengths);
        for (const slot of slots) lengths[slot] = (lengths[slot] ?? 0) + 1;
        return Promise.resolve(logits);
      },
    };
  }

  /** Picture and text of each prompt, without padding. */
  #promptRows({ prefix, textIds, textMask }: LanguagePrompt): Float32Array[][] {
    const { tokenRows } = this.#parts;
    const pixels = prefix.data as Float32Array;
    const pictureTokens = prefix.dims[1] ?? 0;
    return textIds.map((ids, row) => {
      const picture = Array.from({ length: pictureTokens }, (_, token) => {
        const at = (row * pictureTokens + token) * tokenRows.width;
        return pixels.subarray(at, at + tokenRows.width);
      });
      const seen = ids.filter((_, token) => textMask[row]?.[token] === 1);
      return [...picture, ...seen.map((id) => tokenRows.ofToken(id))];
    });
  }

  #prefill(prompts: readonly Float32Array[][]): Float32Array {
    const { config } = this.#parts;
    const longest = Math.max(...prompts.map((rows) => rows.length));
    this.#reserve(prompts.length, longest + FIRST_ROOM);
    // Prompts of several lengths run one after the other: there is no padding to mask.
    if (prompts.every((rows) => rows.length === longest)) {
      return this.#run(
        { first: 0, rows: prompts.length, tokens: longest },
        prompts,
        prompts.map(() => 0),
      );
    }
    const logits = new Float32Array(prompts.length * config.vocabSize);
    prompts.forEach((rows, row) => {
      logits.set(this.#run({ first: row, rows: 1, tokens: rows.length }, [rows], [0]), row * config.vocabSize);
    });
    return logits;
  }

  #advance(ids: readonly number[], slots: readonly number[], lengths: readonly number[]): Float32Array {
    const { config, tokenRows } = this.#parts;
    const idle = new Float32Array(tokenRows.width);
    const rows: Float32Array[][] = lengths.map(() => [idle]);
    slots.forEach((slot, row) => (rows[slot] = [tokenRows.ofToken(ids[row] ?? 0)]));
    const logits = this.#run({ first: 0, rows: rows.length, tokens: 1 }, rows, lengths);
    if (slots.length === rows.length && slots.every((slot, row) => slot === row)) return logits;
    const ordered = new Float32Array(slots.length * config.vocabSize);
    slots.forEach((slot, row) => {
      ordered.set(logits.subarray(slot * config.vocabSize, (slot + 1) * config.vocabSize), row * config.vocabSize);
    });
    return ordered;
  }

  /** @param past tokens in each row's cache */
  #run(shape: RunShape, rows: readonly (readonly Float32Array[])[], past: readonly number[]): Float32Array {
    const { program, memory, tokenRows, float, config } = this.#parts;
    const { tokens } = shape;
    const buffers = this.#tokenBuffers(shape.rows * tokens);
    const results = this.#rowBuffers(shape.rows);
    const { bindings, options } = this.#bindings(shape, buffers, results);

    const rowBytes = tokens * tokenRows.width * (float === 'F16' ? 2 : 4);
    rows.forEach((row, index) => {
      const target = buffers.staging.bytes.subarray(index * rowBytes, (index + 1) * rowBytes);
      tokenRows.write(row, past[index] ?? 0, target, float);
    });
    const hiddenBytes = shape.rows * rowBytes;
    const seqlens = Int32Array.from(past, (length) => length + tokens - 1);
    buffers.staging.bytes.set(new Uint8Array(seqlens.buffer), hiddenBytes);
    memory.upload(buffers.hidden[0], buffers.staging.address, hiddenBytes);
    memory.upload(results.seqlens, buffers.staging.address + BigInt(hiddenBytes), seqlens.byteLength);
    // A recorded run is replayed with the total that it was recorded with; the lengths on the device do the masking.
    const recorded = this.#records(shape);
    const total = recorded ? (this.#caches?.capacity ?? 0) : Math.max(...past) + tokens;
    new DataView(this.#total.bytes.buffer).setInt32(0, total, true);
    if (this.#parts.records) memory.synchronize();
    program.run(bindings, options, true);
    const bytes = shape.rows * config.vocabSize * 4;
    memory.download(results.host.address, results.logits, bytes);
    return new Float32Array(results.host.bytes.slice(0, bytes).buffer);
  }

  #records({ tokens }: RunShape): boolean {
    return this.#parts.records && tokens === 1;
  }

  #reserve(rows: number, tokens: number): KvBuffers {
    const old = this.#caches;
    if (old !== null && old.rows >= rows && old.capacity >= tokens) return old;
    const capacity = Math.max(old?.capacity ?? 0, Math.ceil(tokens / CAPACITY_STEP) * CAPACITY_STEP);
    const { memory, config, float } = this.#parts;
    this.#forgetBindings();
    const grown = new KvBuffers(memory, config, float, { rows: Math.max(rows, old?.rows ?? 0), capacity });
    if (old !== null) {
      grown.copyFrom(old);
      memory.synchronize();
      old.free();
    }
    this.#caches = grown;
    return grown;
  }

  #tokenBuffers(tokens: number): TokenBuffers {
    const old = this.#tokens;
    const { memory, tokenRows, float } = this.#parts;
    const elements = tokens * tokenRows.width;
    if (old !== null && old.elements >= elements) return old;
    this.#forgetBindings();
    for (const address of old?.hidden ?? []) memory.free(address);
    const bytes = elements * (float === 'F16' ? 2 : 4);
    this.#tokens = {
      elements,
      hidden: [memory.allocate(bytes), memory.allocate(bytes)],
      staging: memory.allocateHost(bytes + 4 * tokens),
    };
    return this.#tokens;
  }

  #rowBuffers(count: number) {
    const old = this.#rows;
    if (old !== null && old.count >= count) return old;
    const { memory, config } = this.#parts;
    this.#forgetBindings();
    if (old !== null) for (const address of [old.seqlens, old.logits]) memory.free(address);
    const bytes = 4 * count * config.vocabSize;
    this.#rows = {
      count,
      seqlens: memory.allocate(4 * count),
      logits: memory.allocate(bytes),
      host: memory.allocateHost(bytes),
    };
    return this.#rows;
  }

  #bindings(shape: RunShape, buffers: TokenBuffers, results: { seqlens: Address; logits: Address }): BoundRun {
    const key = `${shape.first}:${shape.rows}x${shape.tokens}`;
    const known = this.#bound.get(key);
    if (known !== undefined) return known;
    const { program, memory, config, float } = this.#parts;
    const place = memory.place;
    const caches = this.#reserve(shape.first + shape.rows, shape.tokens);
    const bindings = program.bind((wire, unit, use): BoundTensor => {
      const cache = /^(?:past|present)\.(\d+)\.(key|value)$/.exec(wire);
      if (cache !== null) {
        return caches.tensor(Number(cache[1]), cache[2] === 'key' ? 'key' : 'value', shape.first, shape.rows);
      }
      switch (wire) {
        case 'hidden': {
          const address = buffers.hidden[(use === 'input' ? unit : unit + 1) % 2 === 0 ? 0 : 1];
          return { place, address, dtype: float, dims: [shape.rows, shape.tokens, config.hiddenSize] };
        }
        case 'seqlens':
          return { place, address: results.seqlens, dtype: 'I32', dims: [shape.rows] };
        case 'total':
          return { place: 'Cpu', address: this.#total.address, dtype: 'I32', dims: [1] };
        case 'logits':
          return { place, address: results.logits, dtype: 'F32', dims: [shape.rows, config.vocabSize] };
        default:
          throw new Error(`the token program has no wire ${wire}`);
      }
    });
    const bound = { bindings, options: this.#runOptions(shape) };
    this.#bound.set(key, bound);
    return bound;
  }

  #runOptions(shape: RunShape): RunOptions {
    if (this.#parts.memory.place === 'Cpu') return new RunOptions();
    // Each recording has an id of its own; -1 runs without one.
    if (this.#parts.records) {
      return new RunOptions({ gpu_graph_id: this.#records(shape) ? String(++this.#recordings) : '-1' });
    }
    return new RunOptions({ disable_synchronize_execution_providers: '1' });
  }

  #forgetBindings(): void {
    this.#parts.memory.synchronize();
    for (const { bindings, options } of this.#bound.values()) {
      for (const binding of bindings) binding[Symbol.dispose]();
      options[Symbol.dispose]();
    }
    this.#bound.clear();
  }

  [Symbol.dispose](): void {
    this.#forgetBindings();
  }
}
