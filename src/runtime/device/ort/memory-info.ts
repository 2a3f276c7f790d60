import { ortApi, type Pointer } from './ort-api.js';

/** Where a tensor's memory is: ONNX Runtime's name for the kind of memory, and the number of the device. */
export type MemoryPlace = 'Cpu' | `Cuda:${number}` | 'WebGPU_Buf';

const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;

const memoryInfos = new Map<string, Pointer>();

export function memoryInfo(place: MemoryPlace): Pointer {
  const known = memoryInfos.get(place);
  if (known !== undefined) return known;
  const [kind = place, device = '0'] = place.split(':');
  const info = ortApi().create('CreateMemoryInfo', kind, DEVICE_ALLOCATOR, Number(device), DEFAULT_MEMORY);
  memoryInfos.set(place, info);
  return info;
}
