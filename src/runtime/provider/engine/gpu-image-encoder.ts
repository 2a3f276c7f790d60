/** Pictures to rows for the language model, on a device. */
import { Tensor } from 'onnxruntime-node';
import { convertFloats } from '../../../loader/convert/convert-floats.js';
import type { Blip2Config } from '../../../model/blip2-config.js';
import { elementCount } from '../../../tensor/tensor-info.js';
import type { GpuFloat } from '../../graph/gpu/gpu-style.js';
import type { Address, DeviceMemory, HostBuffer } from '../memory/device-memory.js';
import { RunOptions, type BoundTensor, type OrtBinding } from '../ort/ort-session.js';
import type { GpuProgram } from './gpu-program.js';

interface ImageBuffers {
  readonly pixelBytes: number;
  readonly pictures: number;
  readonly pixels: Address;
  /** Between units, in turns. */
  readonly patches: readonly [Address, Address];
  readonly rows: Address;
  readonly host: HostBuffer;
  readonly bindings: readonly OrtBinding[];
}

export interface GpuImageEncoderParts {
  readonly program: GpuProgram;
  readonly memory: DeviceMemory;
  readonly config: Blip2Config;
  readonly float: GpuFloat;
  /** Patches of a picture and the class token. */
  readonly visionTokens: number;
}

export class GpuImageEncoder implements Disposable {
  readonly #parts: GpuImageEncoderParts;
  readonly #options: RunOptions;
  #buffers: ImageBuffers | null = null;

  constructor(parts: GpuImageEncoderParts) {
    this.#parts = parts;
    const onCpu = parts.memory.place === 'Cpu';
    this.#options = new RunOptions(onCpu ? {} : { disable_synchronize_execution_providers: '1' });
  }

  /** As `Blip2Sessions.encodeImages`. */
  encode(pixels: Float32Array, shape: readonly number[]): Tensor {
    const { program, memory, config, float } = this.#parts;
    const buffers = this.#bound(shape);
    const dims = [buffers.pictures, config.numQueryTokens, config.text.hiddenSize];
    const bytes = elementCount(dims) * (float === 'F16' ? 2 : 4);
    buffers.host.bytes.set(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength));
    memory.upload(buffers.pixels, buffers.host.address, pixels.byteLength);
    program.run(buffers.bindings, this.#options);
    memory.download(buffers.host.address, buffers.rows, bytes);
    const rows = new Float32Array(elementCount(dims));
    convertFloats(buffers.host.bytes.subarray(0, bytes), float, new Uint8Array(rows.buffer), 'F32');
    return new Tensor('float32', rows, dims);
  }

  #bound(shape: readonly number[]): ImageBuffers {
    const { program, memory, config, float, visionTokens } = this.#parts;
    const pixelBytes = 4 * elementCount(shape);
    if (this.#buffers?.pixelBytes === pixelBytes) return this.#buffers;
    this.#release();
    const [pictures = 0] = shape;
    const floatBytes = float === 'F16' ? 2 : 4;
    const patchDims = [pictures, visionTokens, config.vision.hiddenSize];
    const rowDims = [pictures, config.numQueryTokens, config.text.hiddenSize];
    const rowBytes = floatBytes * elementCount(rowDims);
    const place = memory.place;
    const buffers = {
      pixelBytes,
      pictures,
      pixels: memory.allocate(pixelBytes),
      patches: [
        memory.allocate(floatBytes * elementCount(patchDims)),
        memory.allocate(floatBytes * elementCount(patchDims)),
      ] as const,
      rows: memory.allocate(rowBytes),
      host: memory.allocateHost(Math.max(pixelBytes, rowBytes)),
    };
    const bindings = program.bind((wire, unit, use): BoundTensor => {
      switch (wire) {
        case 'pixel_values':
          return { place, address: buffers.pixels, dtype: 'F32', dims: shape };
        case 'patches': {
          const address = buffers.patches[(use === 'input' ? unit : unit + 1) % 2 === 0 ? 0 : 1];
          return { place, address, dtype: float, dims: patchDims };
        }
        case 'language_input':
          return { place, address: buffers.rows, dtype: float, dims: rowDims };
        default:
          throw new Error(`the image program has no wire ${wire}`);
      }
    });
    this.#buffers = { ...buffers, bindings };
    return this.#buffers;
  }

  #release(): void {
    if (this.#buffers === null) return;
    const { memory } = this.#parts;
    memory.synchronize();
    const { bindings, pixels, patches, rows } = this.#buffers;
    for (const binding of bindings) binding[Symbol.dispose]();
    for (const address of [pixels, ...patches, rows]) memory.free(address);
    this.#buffers = null;
  }

  [Symbol.dispose](): void {
    this.#release();
    this.#options[Symbol.dispose]();
  }
}
