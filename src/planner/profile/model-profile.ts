/**
 * What the solver has to know about a model: its blocks in the order they run, what each weighs, and what each costs
 * every time it runs. Sizes are bytes after loading; costs are counted in FLOPs and bytes, never in time, so one profile
 * serves every device.
 */
import { at } from '../../checked-access.js';
import type { BlockPhase } from '../../model/blocks.js';
import type { QuantScheme } from '../../tensor/quantized.js';
import type { Engine } from '../map/engine.js';
import type { FileNames } from '../map/file-names.js';
import type { ModelUse } from '../models/read-model-table.js';
import type { LoadDtype } from '../../tensor/load-dtype.js';
import type { AskedDtypes } from './loaded-dtype.js';
import type { Workload } from './workload/workload.js';

/** What a profile is asked for, of whatever model. */
export interface ProfileOptions extends AskedDtypes {
  readonly engine: Engine;
  /** Whether a map that is given keeps a tensor on its GPU; absent where none is. */
  readonly isKept?: ((tensor: string) => boolean) | undefined;
}

/** A class of transformers, and what it is for. */
export interface PlannedClass {
  readonly class: string;
  readonly use: ModelUse;
  /** Whether its loader has to be told to make floats of compressed weights. */
  readonly dequantize?: true;
}

/** What transformers does on the host for one run of a block. */
export interface TorchCalls {
  /** Modules called that have tensors in or below them: accelerate puts a hook on each where a map names several devices. */
  readonly modules: number;
  /** Operations that launch a kernel; views do not. */
  readonly launches: number;
}

/** The runs of a block in one phase of one call. */
export interface BlockRun {
  readonly phase: BlockPhase;
  readonly runs: number;
  /** How often streamed weights are copied for all the runs: once for micro-batches that pass the block one after the other. */
  readonly copies: number;
  /** Per run; 2 per multiply-add. */
  readonly flops: number;
  /** Weight bytes that a run reads where they live: a table look-up reads rows, not the table. */
  readonly readBytes: number;
  /** The part of `readBytes` that is small integers and their scales, which kernels of their own read. */
  readonly quantizedBytes: number;
  /** Weight bytes that must travel before a run when they live elsewhere: whole tables, too. */
  readonly streamedBytes: number;
  /** Cache bytes read and written per run. */
  readonly stateBytes: number;
  /** Modules with tensors of their own that a run calls. */
  readonly leaves: number;
  /** The parts of `streamedBytes` and `leaves` that stay on the GPU, for each level of the block's `kept`. */
  readonly kept: readonly { readonly bytes: number; readonly leaves: number }[];
  readonly torch: TorchCalls;
  /** Elements handed to the next block per run: what crosses if that block runs elsewhere. */
  readonly outputElements: number;
}

/** What of a block stays on the GPU that the rest is streamed to. */
export interface Kept {
  readonly tensors: readonly string[];
  readonly bytes: number;
}

/** A block with what it takes and does, on whatever device it runs. */
export interface ProfileBlock {
  /** Module path or root parameter: a key of the device map. */
  readonly name: string;
  readonly kind: string;
  readonly phase: BlockPhase;
  readonly tensors: readonly string[];
  /** Loaded bytes. A tied tensor counts in the first block that holds it. */
  readonly weightBytes: number;
  /** The same weights as a device without half-precision kernels keeps them: every float as float32. */
  readonly float32Bytes: number;
  /** What its linear weights are stored as; null for floats. */
  readonly scheme: QuantScheme | null;
  /** The block with its linear weights quantised, for every scheme that is open to it. */
  readonly forms: ReadonlyMap<QuantScheme, ProfileBlock>;
  /**
   * A table whose rows the host looks up, so that no GPU holds it: `head` where the language model's head multiplies with
   * the same tensor, which a GPU then does hold. null for all that is no such table.
   */
  readonly lookUp: 'rows' | 'head' | null;
  /** Bytes of tensors the module creates itself and never streams (non-persistent buffers). */
  readonly bufferBytes: number;
  /** Of `weightBytes`, buffers: a GPU that the rest is streamed to keeps them. Default 0. */
  readonly savedBufferBytes?: number;
  /** Where its weights may wait while they are not on the GPU that runs them. */
  readonly stores: readonly ('cpu' | 'disk')[];
  /** A tensor of its modules that is in no file, so that it cannot be read from the disk; absent where there is none. */
  readonly lacks?: string;
  /** Tensors of its modules that are tied to those of others and in no file by these names; absent for none. */
  readonly shares?: readonly string[];
  /** Whether of several GPUs only that one may run it which runs the model's own code: the lowest number in a map. Default false. */
  readonly onMainGpu?: boolean;
  /** Whether the model joins what it makes with what others of its list make, so that on several GPUs both have to be on one. Default false. */
  readonly joins?: boolean;
  /** What may stay on the GPU where the rest of the block is streamed to it, the least first: at least one level, of nothing. */
  readonly kept: readonly Kept[];
  /** Largest module with tensors of its own: what streaming leaf by leaf has to hold at a time. */
  readonly largestLeafBytes: number;
  /** Weight bytes of the neighbours that `blip2-run` streams with it in one piece; null for a block streamed by itself. */
  readonly streamedWithBytes: number | null;
  /** Key and value elements kept between runs, for the whole workload. */
  readonly cacheElements: number;
  /** Bytes of these on a GPU that keeps them as integers; null or absent: as floats. */
  readonly quantizedCacheBytes?: number | null;
  /** Whether no search is to choose one of `forms`: what is quantised already is counted by them all the same. */
  readonly staysFloat?: boolean;
  /** Whether a GPU's memory for them is counted once for all blocks: see `cache-turns`. */
  readonly cachesApart?: boolean;
  /** Room for other blocks on their way through a GPU, which stays taken while this one runs there. Default 0. */
  readonly stagedBesideBytes?: number;
  /** Elements alive at the peak of one run, inputs and outputs included. */
  readonly activationElements: number;
  /** Bytes of the pictures that wait on the device while others pass the block, where its weights are streamed. */
  readonly waitingBytes: number;
  /** Bytes per element of activations and caches where the target dtype has kernels. */
  readonly elementBytes: 2 | 4;
  readonly runs: readonly BlockRun[];
  /** Blocks with the same label share tensors or must stay together: one place for all of them. */
  readonly bond: string | null;
  /** Elements that a block earlier than the previous one hands to this one, by its name. */
  readonly extraInputs: readonly {
    readonly from: string;
    readonly phase: BlockPhase;
    readonly runs: number;
    readonly elements: number;
  }[];
  /** Elements that enter from the host or return to it per call (pictures, ids, logits), and in how many transfers. */
  readonly hostTraffic: { readonly transfers: number; readonly elements: number };
}

/** A model as the solver sees it: blocks with bytes and work, for one dtype, workload and engine. */
export interface ModelProfile {
  readonly family: 'blip2' | 'generic';
  readonly dtype: LoadDtype;
  readonly workload: Workload;
  readonly engine: Engine;
  readonly blocks: readonly ProfileBlock[];
  /** Other module paths that share a block's tensors and need a key of their own: alias -> block name. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Keys for buffers that no file holds and that are in no block, where nothing else brings them to the GPU -> the block that they go with. */
  readonly besideBlocks?: ReadonlyMap<string, string>;
  /** The same for modules of frequencies, which only releases before 5.24 leave behind. */
  readonly frequencies?: ReadonlyMap<string, string>;
  /** Keys of what no file holds and the class may have, which transformers wants a device for -> the block beside it; absent for none. */
  readonly lackingKeys?: ReadonlyMap<string, string>;
  /**
   * Modules without weights that are in no block; a map may have keys for them, and they may be anywhere. "*" is any number of a list.
   */
  readonly emptyModules: readonly string[];
  /** The class that loads it; null for one that is not known, absent for a BLIP-2 that captions. */
  readonly model?: PlannedClass | null;
  /** How a quantised checkpoint is quantised, by transformers' name of the method; absent for others. */
  readonly quantization?: string;
  /** Loaded name -> names in the file, where the device map has those. */
  readonly fileNames?: FileNames;
  readonly weightBytes: number;
  /** Whether GPUs may keep caches as integers: `workload.caches`. Default false. */
  readonly mayQuantizeCaches?: boolean;
  readonly assumptions: readonly string[];
  readonly warnings: readonly string[];
}

/** The block as a place with `scheme` holds it; null leaves it as it is loaded. */
export function formOf(block: ProfileBlock, scheme: QuantScheme | null): ProfileBlock {
  return scheme === null ? block : (block.forms.get(scheme) ?? block);
}

/** One of the levels of `kept`; of a block that has fewer, its last. */
export function levelOf<T>(levels: readonly T[], level: number): T {
  return at(levels, Math.min(level, levels.length - 1));
}

/** What a GPU keeps for keys and values. */
export const gpuCacheBytes = ({ cacheElements, quantizedCacheBytes, elementBytes }: ProfileBlock): number =>
  quantizedCacheBytes ?? cacheElements * elementBytes;

/** The most that one run of a block copies. */
export function streamedBytes(block: ProfileBlock): number {
  return Math.max(0, ...block.runs.map((run) => run.streamedBytes));
}
