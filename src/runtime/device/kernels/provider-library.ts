/** A library of CUDA's that ONNX Runtime's provider has loaded: found by its name. */
import koffi, { type LibraryHandle } from 'koffi';
import { Blip2Error } from '../../../errors.js';

export type NativeArgument =
  bigint | number | Uint8Array | Float32Array | Int32Array | BigUint64Array | (bigint | number | null)[];
type NativeFunction = (...args: NativeArgument[]) => number;

interface LibraryKind<Name extends string> {
  /** As people know it. */
  readonly title: string;
  /** The provider was built for one of them. */
  readonly files: readonly string[];
  /** What each function is given; all answer with a status, of which 0 is success. */
  readonly functions: Readonly<Record<Name, string>>;
}

export class ProviderLibrary<Name extends string> {
  readonly #kind: LibraryKind<Name>;
  /** Kept for ever: a handle that is collected closes the library under its callers. */
  readonly #library: LibraryHandle;
  readonly #functions = new Map<Name, NativeFunction>();

  /** @throws Blip2Error `CUDA_FAILED` where there is none of its files */
  constructor(kind: LibraryKind<Name>) {
    this.#kind = kind;
    this.#library = this.#open();
  }

  /** @throws Blip2Error `CUDA_FAILED` */
  call(name: Name, ...args: NativeArgument[]): void {
    let native = this.#functions.get(name);
    if (native === undefined) {
      native = this.#library.func(`int ${name}(${this.#kind.functions[name]})`) as NativeFunction;
      this.#functions.set(name, native);
    }
    const code = native(...args);
    if (code !== 0) throw this.failure(name, String(code));
  }

  /** For functions whose first parameter receives a new object. @throws Blip2Error `CUDA_FAILED` */
  create(name: Name, ...args: NativeArgument[]): bigint {
    const slot: (bigint | null)[] = [null];
    this.call(name, slot, ...args);
    const [made] = slot;
    if (made === null || made === undefined) throw this.failure(name, 'nothing');
    return made;
  }

  failure(name: string, answer: string): Blip2Error {
    return new Blip2Error('CUDA_FAILED', `${this.#kind.title} answered ${answer} to ${name}`, {
      hint: 'nvidia-smi shows whether the card still works.',
      details: { function: name },
    });
  }

  #open(): LibraryHandle {
    for (const file of this.#kind.files) {
      try {
        return koffi.load(file);
      } catch {
        // The provider was built for another.
      }
    }
    throw this.failure('dlopen', `not found: ${this.#kind.files.join(', ')}`);
  }
}
