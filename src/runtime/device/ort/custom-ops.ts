/**
 * Operators of our own in ONNX Runtime's graphs. It asks for what they are and runs them through functions of this process, in the
 * thread that runs the session: a session that has one is run where its operators were made.
 */
import koffi from 'koffi';
import { at } from '../../../checked-access.js';
import type { Dtype } from '../../../tensor/dtype.js';
import { elementType } from '../../onnx/element-type.js';
import { memoryInfo, type MemoryPlace } from './memory-info.js';
import { ortApi, type Pointer } from './ort-api.js';

export const CUSTOM_DOMAIN = 'blip2';

export interface OpTensor {
  readonly address: Pointer;
  readonly dims: readonly number[];
}

/** One run of a node. */
export interface OpRun {
  input(index: number): OpTensor;
  /** Where a result goes, which is the caller's memory where it is bound. */
  output(index: number, dims: readonly number[]): Pointer;
  /** What the device's work is ordered by. */
  stream(): Pointer;
  /** Memory of the session's arena for what `work` puts into the stream. */
  withScratch(place: MemoryPlace, bytes: number, work: (address: Pointer) => void): void;
}

/** A node's own numbers. */
export interface OpAttributes {
  int(name: string): number;
  float(name: string): number;
}

export interface CustomOp {
  readonly name: string;
  readonly inputs: readonly Dtype[];
  readonly outputs: readonly Dtype[];
  /** null: the CPU. */
  readonly provider: 'CUDAExecutionProvider' | null;
  /** What runs a node; whatever it throws fails the run. */
  readonly kernel: (attributes: OpAttributes) => (run: OpRun) => void;
}

/** `OrtCustomOp` of onnxruntime_c_api.h: a version, then functions. */
const VERSION = 24;
const SLOTS = 27;
const SLOT = {
  name: 2,
  provider: 3,
  inputType: 4,
  inputCount: 5,
  outputType: 6,
  outputCount: 7,
  destroy: 9,
  inputNeed: 10,
  outputNeed: 11,
  inputMemory: 12,
  create: 17,
  compute: 18,
} as const;
/** `INPUT_OUTPUT_REQUIRED` and `OrtMemTypeDefault`, the provider's own memory. */
const REQUIRED = 0;
const DEVICE_MEMORY = 0;

const PROTO = {
  text: koffi.proto('void* (void*)'),
  count: koffi.proto('size_t (void*)'),
  ofIndex: koffi.proto('int (void*, size_t)'),
  create: koffi.proto('void* (void*, void*, void*, void*)'),
  compute: koffi.proto('void* (void*, void*)'),
  destroy: koffi.proto('void (void*)'),
};

type Proto = (typeof PROTO)[keyof typeof PROTO];

export class CustomOps {
  /** For `AddCustomOpDomain`. Kept for ever, as ONNX Runtime's sessions may. */
  readonly domain: Pointer;
  readonly #kernels = new Map<Pointer, (run: OpRun) => void>();
  #made = 0n;

  constructor(ops: readonly CustomOp[]) {
    const ort = ortApi();
    this.domain = ort.create('CreateCustomOpDomain', CUSTOM_DOMAIN);
    for (const op of ops) ort.call('CustomOpDomain_Add', this.domain, this.#describe(op));
  }

  #describe(op: CustomOp): Pointer {
    const size = SLOTS * BigUint64Array.BYTES_PER_ELEMENT;
    const address = koffi.alloc('uint64_t', SLOTS) as Pointer;
    const slots = new BigUint64Array(koffi.view(address, size)).fill(0n);
    slots[0] = BigInt(VERSION);
    const set = (slot: number, proto: Proto, answer: (...args: never[]) => unknown): void => {
      slots[slot] = koffi.register(answer, koffi.pointer(proto));
    };
    const name = textAddress(op.name);
    const provider = op.provider === null ? null : textAddress(op.provider);
    set(SLOT.name, PROTO.text, () => name);
    set(SLOT.provider, PROTO.text, () => provider);
    set(SLOT.inputCount, PROTO.count, () => op.inputs.length);
    set(SLOT.outputCount, PROTO.count, () => op.outputs.length);
    set(SLOT.inputType, PROTO.ofIndex, (_: Pointer, index: number) => elementType(at(op.inputs, index)));
    set(SLOT.outputType, PROTO.ofIndex, (_: Pointer, index: number) => elementType(at(op.outputs, index)));
    set(SLOT.inputNeed, PROTO.ofIndex, () => REQUIRED);
    set(SLOT.outputNeed, PROTO.ofIndex, () => REQUIRED);
    set(SLOT.inputMemory, PROTO.ofIndex, () => DEVICE_MEMORY);
    set(SLOT.create, PROTO.create, (_: Pointer, __: Pointer, info: Pointer, made: Pointer) =>
      answering(() => {
        const kernel = op.kernel(attributesOf(info));
        this.#made += 1n;
        this.#kernels.set(this.#made, kernel);
        new BigUint64Array(koffi.view(made, BigUint64Array.BYTES_PER_ELEMENT))[0] = this.#made;
      }),
    );
    set(SLOT.compute, PROTO.compute, (kernel: Pointer, context: Pointer) =>
      answering(() => {
        const run = this.#kernels.get(kernel);
        if (run === undefined) throw new Error(`no kernel ${kernel} of ${op.name}`);
        run(runOf(context));
      }),
    );
    set(SLOT.destroy, PROTO.destroy, (kernel: Pointer) => void this.#kernels.delete(kernel));
    return address;
  }
}

/** @returns ONNX Runtime's status: null where all went well */
function answering(work: () => void): Pointer | null {
  try {
    work();
    return null;
  } catch (error) {
    return ortApi().failure(error instanceof Error ? error.message : String(error));
  }
}

function textAddress(text: string): Pointer {
  const bytes = new TextEncoder().encode(`${text}\0`);
  const address = koffi.alloc('uint8_t', bytes.length) as Pointer;
  new Uint8Array(koffi.view(address, bytes.length)).set(bytes);
  return address;
}

function attributesOf(info: Pointer): OpAttributes {
  const number = (call: 'KernelInfoGetAttribute_int64' | 'KernelInfoGetAttribute_float', name: string): number => {
    const slot: [number | bigint] = [0];
    ortApi().call(call, info, name, slot);
    return Number(slot[0]);
  };
  return {
    int: (name) => number('KernelInfoGetAttribute_int64', name),
    float: (name) => number('KernelInfoGetAttribute_float', name),
  };
}

function runOf(context: Pointer): OpRun {
  const ort = ortApi();
  return {
    input: (index) => {
      const value = ort.create('KernelContext_GetInput', context, index);
      // Asked for where they are wanted: each question takes the host as long as a launch.
      return {
        address: ort.create('GetTensorMutableData', value),
        get dims() {
          return dimsOf(value);
        },
      };
    },
    output: (index, dims) => {
      const shape = BigInt64Array.from(dims, BigInt);
      return ort.create(
        'GetTensorMutableData',
        ort.create('KernelContext_GetOutput', context, index, shape, dims.length),
      );
    },
    stream: () => ort.create('KernelContext_GetGPUComputeStream', context),
    withScratch: (place, bytes, work) => {
      const allocator = ort.create('KernelContext_GetAllocator', context, memoryInfo(place));
      try {
        const address = ort.create('AllocatorAlloc', allocator, bytes);
        try {
          work(address);
        } finally {
          ort.call('AllocatorFree', allocator, address);
        }
      } finally {
        ort.release('Allocator', allocator);
      }
    },
  };
}

function dimsOf(value: Pointer): number[] {
  const ort = ortApi();
  const info = ort.create('GetTensorTypeAndShape', value);
  try {
    const count: [number | bigint] = [0];
    ort.call('GetDimensionsCount', info, count);
    const dims = new BigInt64Array(Number(count[0]));
    ort.call('GetDimensions', info, dims, dims.length);
    return Array.from(dims, Number);
  } finally {
    ort.release('TensorTypeAndShapeInfo', info);
  }
}
