import type { ByteSource } from '../../src/loader/format/read-header.js';

export function memorySource(bytes: Uint8Array, name = 'test.safetensors'): ByteSource {
  return { name, path: `/${name}`, sizeBytes: bytes.length, read: async (begin, end) => bytes.slice(begin, end) };
}
