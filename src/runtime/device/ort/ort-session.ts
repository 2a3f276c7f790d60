/** Sessions whose inputs and outputs are memory of the caller: weights, caches and activations are bound, never copied. */
import type { Dtype } from '../../../tensor/dtype.js';
import { DTYPE_BITS } from '../../../tensor/dtype.js';
import { elementCount } from '../../../tensor/tensor-info.js';
import { elementType } from '../../onnx/element-type.js';
import type { CustomOps } from './custom-ops.js';
import { memoryInfo, type MemoryPlace } from './memory-info.js';
import { ortApi, type Pointer } from './ort-api.js';
import { runBinding, type BindingRunner } from './run-binding.js';

export interface OrtSessionOptions {
  /** Options of the CUDA provider, by ONNX Runtime's names; absent runs on the CPU. */
  readonly cuda?: Readonly<Record<string, string>>;
  /** Whether device memory for runs comes from the device's `SharedArena`. */
  readonly sharesArena?: boolean;
  /** Options of the WebGPU provider, without their common prefix. */
  readonly webgpu?: Readonly<Record<string, string>>;
  /** Operators of our own that its graph may have. */
  readonly ops?: CustomOps;
  /** Threads of one operator on the CPU. */
  readonly threads?: number;
  /** Whether those threads wait for work by spinning, which answers sooner and takes cores from everyone else. Default true. */
  readonly spins?: boolean;
  /** Where the session writes which node ran on what, once it ends: a path to which ONNX Runtime adds the time. */
  readonly profile?: string;
  /** Whether errors of runs are thrown only, and not printed as well. */
  readonly silent?: boolean;
}

export interface BoundTensor {
  readonly place: MemoryPlace;
  /** On WebGPU, the handle of a buffer. */
  readonly address: Pointer;
  readonly dtype: Dtype;
  readonly dims: readonly number[];
}

const ALL_OPTIMIZATIONS = 99;
/** The least severe of what is printed. */
const ERRORS = 3;
const FATAL = 4;

let created: Pointer | undefined;

export function environment(): Pointer {
  created ??= ortApi().create('CreateEnv', ERRORS, 'blip2-device-map');
  return created;
}

/** Binds what its runs read and write, whoever holds the session. */
export class BindableSession {
  readonly pointer: Pointer;

  constructor(pointer: Pointer) {
    this.pointer = pointer;
  }

  bind(inputs: ReadonlyMap<string, BoundTensor>, outputs: ReadonlyMap<string, BoundTensor>): OrtBinding {
    return new OrtBinding(this.pointer, inputs, outputs);
  }
}

export class OrtSession extends BindableSession implements Disposable {
  /** @throws Blip2Error `ORT_FAILED`, among others where the provider's library does not load */
  constructor(model: Uint8Array, options: OrtSessionOptions = {}) {
    super(createSession(model, options));
  }

  /** Of device memory as the session's provider hands it out. */
  createAllocator(place: MemoryPlace): Pointer {
    return ortApi().create('CreateAllocator', this.pointer, memoryInfo(place));
  }

  [Symbol.dispose](): void {
    ortApi().release('Session', this.pointer);
  }
}

function createSession(
  model: Uint8Array,
  { cuda, sharesArena, webgpu, ops, threads, spins, profile, silent }: OrtSessionOptions,
): Pointer {
  const ort = ortApi();
  // Providers write to its log while they are appended.
  const env = environment();
  const options = ort.create('CreateSessionOptions');
  try {
    ort.call('SetSessionGraphOptimizationLevel', options, ALL_OPTIMIZATIONS);
    ort.call('SetSessionLogSeverityLevel', options, silent === true ? FATAL : ERRORS);
    if (ops !== undefined) ort.call('AddCustomOpDomain', options, ops.domain);
    if (profile !== undefined) ort.call('EnableProfiling', options, profile);
    if (threads !== undefined) ort.call('SetIntraOpNumThreads', options, threads);
    if (spins === false) ort.call('AddSessionConfigEntry', options, 'session.intra_op.allow_spinning', '0');
    if (sharesArena === true) ort.call('AddSessionConfigEntry', options, 'session.use_env_allocators', '1');
    if (cuda !== undefined) {
      // The memory of a run planned in one piece would be kept beside the pieces of the run before it.
      ort.call('DisableMemPattern', options);
      appendCuda(options, cuda);
    }
    if (webgpu !== undefined) {
      const [names, values] = [Object.keys(webgpu), Object.values(webgpu)];
      ort.call('SessionOptionsAppendExecutionProvider', options, 'WebGPU', names, values, names.length);
    }
    return ort.create('CreateSessionFromArray', env, model, model.length, options);
  } finally {
    ort.release('SessionOptions', options);
  }
}

function appendCuda(options: Pointer, settings: Readonly<Record<string, string>>): void {
  withCuda(settings, (cuda) => ortApi().call('SessionOptionsAppendExecutionProvider_CUDA_V2', options, cuda));
}

/**
 * The CUDA provider's library is read with the first options for it.
 * @throws Blip2Error `ORT_FAILED` where it does not load
 */
export function readProvider(cuda: Readonly<Record<string, string>>): void {
  environment();
  withCuda(cuda, () => undefined);
}

function withCuda(settings: Readonly<Record<string, string>>, use: (cuda: Pointer) => void): void {
  const ort = ortApi();
  const cuda = ort.create('CreateCUDAProviderOptions');
  try {
    const names = Object.keys(settings);
    ort.call('UpdateCUDAProviderOptions', cuda, names, Object.values(settings), names.length);
    use(cuda);
  } finally {
    ort.release('CUDAProviderOptions', cuda);
  }
}

/** A session with all its inputs and outputs in place: running it is one call. */
export class OrtBinding implements Disposable {
  readonly #session: Pointer;
  readonly #binding: Pointer;
  readonly #inputs: Map<string, Pointer>;
  readonly #outputs: Map<string, Pointer>;

  constructor(session: Pointer, inputs: ReadonlyMap<string, BoundTensor>, outputs: ReadonlyMap<string, BoundTensor>) {
    const ort = ortApi();
    this.#session = session;
    this.#binding = ort.create('CreateIoBinding', session);
    const bind = (call: 'BindInput' | 'BindOutput', tensors: ReadonlyMap<string, BoundTensor>) =>
      new Map(
        [...tensors].map(([name, tensor]) => {
          const value = createValue(tensor);
          ort.call(call, this.#binding, name, value);
          return [name, value] as const;
        }),
      );
    this.#inputs = bind('BindInput', inputs);
    this.#outputs = bind('BindOutput', outputs);
  }

  /** Other memory of the same type and shape. */
  rebind(use: 'input' | 'output', name: string, tensor: BoundTensor): void {
    const [call, values] =
      use === 'input' ? (['BindInput', this.#inputs] as const) : (['BindOutput', this.#outputs] as const);
    const value = createValue(tensor);
    ortApi().call(call, this.#binding, name, value);
    const old = values.get(name);
    values.set(name, value);
    if (old !== undefined) ortApi().release('Value', old);
  }

  /** An input that a node on another device reads is copied there while it is bound, and then stays as it was. */
  bindAgain(inputs: Iterable<string>): void {
    for (const name of inputs) {
      const value = this.#inputs.get(name);
      if (value !== undefined) ortApi().call('BindInput', this.#binding, name, value);
    }
  }

  run(options: RunOptions): void {
    runBinding({ session: this.#session, options: options.pointer, binding: this.#binding });
  }

  /** The same in another thread; one run of a binding at a time. */
  runIn(thread: BindingRunner, options: RunOptions): Promise<void> {
    return thread.run({ session: this.#session, options: options.pointer, binding: this.#binding });
  }

  [Symbol.dispose](): void {
    const ort = ortApi();
    ort.release('IoBinding', this.#binding);
    for (const value of [...this.#inputs.values(), ...this.#outputs.values()]) ort.release('Value', value);
  }
}

export function createValue({ place, address, dtype, dims }: BoundTensor): Pointer {
  const bytes = (elementCount(dims) * DTYPE_BITS[dtype]) / 8;
  const shape = BigInt64Array.from(dims, BigInt);
  return ortApi().create(
    'CreateTensorWithDataAsOrtValue',
    memoryInfo(place),
    address,
    bytes,
    shape,
    dims.length,
    elementType(dtype),
  );
}

export class RunOptions implements Disposable {
  readonly pointer: Pointer;

  constructor(entries: Readonly<Record<string, string>> = {}) {
    const ort = ortApi();
    this.pointer = ort.create('CreateRunOptions');
    for (const [key, value] of Object.entries(entries)) ort.call('AddRunConfigEntry', this.pointer, key, value);
  }

  [Symbol.dispose](): void {
    ortApi().release('RunOptions', this.pointer);
  }
}
