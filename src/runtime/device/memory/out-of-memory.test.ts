import { describe, expect, it } from 'vitest';
import { Blip2Error } from '../../../errors.js';
import { HostMemory } from './host-memory.js';
import { namedHostOutOfMemory, namedOutOfMemory } from './out-of-memory.js';

const MIB = 2 ** 20;

class SmallMemory extends HostMemory {
  override room() {
    return { device: 'GPU 1', totalBytes: 8 * MIB, freeBytes: 2 * MIB, heldBytes: 5 * MIB };
  }
}

const failure = (message: string) => new Blip2Error('ORT_FAILED', `ONNX Runtime: ${message}`);

describe('a session that finds no memory', () => {
  it.each([
    ['bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 3145728', 3 * MIB],
    ['CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED', null],
    ['CUDA failure 2: out of memory', null],
  ])('is told with the numbers: %s', (message, neededBytes) => {
    const error = namedOutOfMemory(failure(message), new SmallMemory());
    expect(error).toMatchObject({
      code: 'OUT_OF_MEMORY',
      details: { device: 'GPU 1', neededBytes, freeBytes: 2 * MIB, totalBytes: 8 * MIB, heldBytes: 5 * MIB },
    });
    expect(String(error)).toMatch(/^Blip2Error: GPU 1 has 2 MiB of 8 MiB free; .* needed beside the 5 MiB held here$/);
  });

  it('is no cover for other failures, nor known where nobody tells the numbers', () => {
    const other = failure('Invalid dimension for input: x');
    expect(namedOutOfMemory(other, new SmallMemory())).toBe(other);
    const unknown = failure('CUDA failure 2: out of memory');
    expect(namedOutOfMemory(unknown, new HostMemory())).toBe(unknown);
  });
});

describe('a session on the host that finds no memory', () => {
  it.each([
    'Exception during initialization: std::bad_alloc',
    'Non-zero status code returned while running Gemm node. Status Message: bad allocation',
    'bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 3145728',
  ])('is told with the numbers: %s', (message) => {
    expect(namedHostOutOfMemory(new Error(message))).toMatchObject({
      code: 'OUT_OF_MEMORY',
      details: { device: 'the host' },
    });
  });

  it('is no cover for other failures', () => {
    const other = new Error('Invalid dimension for input: x');
    expect(namedHostOutOfMemory(other)).toBe(other);
  });
});
