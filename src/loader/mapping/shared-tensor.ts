/** A mapped tensor in another thread: buffers over foreign memory cannot be sent, addresses can. */
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { loadMemoryMapper } from './load-memory-mapper.js';
import type { TensorView } from './tensor-view.js';

/** What `MappedTensors.share` gives. It can be posted to a worker of this process. */
export interface SharedTensor extends TensorInfo {
  readonly name: string;
  readonly address: bigint;
  readonly byteLength: number;
}

/**
 * Views a tensor that another thread has mapped. The memory goes away when that thread closes the mapping.
 * @throws SafetensorsError `IO_ERROR` where the system has no mapping
 */
export async function openShared({ name, dtype, shape, address, byteLength }: SharedTensor): Promise<TensorView> {
  const mapper = await loadMemoryMapper();
  if (mapper === null)
    throw new SafetensorsError('IO_ERROR', name, 'this system has no memory mapping that the loader can use');
  const bytes = byteLength === 0 ? new Uint8Array(0) : new Uint8Array(mapper.view(address, byteLength));
  return { name, dtype, shape, bytes };
}
