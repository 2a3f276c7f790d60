import { expect, it } from 'vitest';
import { ProviderLibrary } from './provider-library.js';

/** The C library: what takes the place of CUDA's where there is no card. */
const kind = {
  title: 'libc',
  files: ['libblip2-none.so.13', 'libc.so.6'],
  functions: { abs: 'int', posix_memalign: '_Out_ void**, size_t, size_t' },
} as const;

it.skipIf(process.platform !== 'linux')('calls the first file that there is, and says what it answers', () => {
  const library = new ProviderLibrary(kind);
  expect(() => library.call('abs', 0)).not.toThrow();
  expect(() => library.call('abs', -3)).toThrow(
    expect.objectContaining({ code: 'CUDA_FAILED', message: 'libc answered 3 to abs' }),
  );
  expect(library.create('posix_memalign', 64, 64) % 64n).toBe(0n);
});

it('says which files it looked for', () => {
  expect(() => new ProviderLibrary({ ...kind, files: ['libblip2-none.so.13'] })).toThrow('libblip2-none.so.13');
});
