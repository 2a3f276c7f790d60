/** Headers at random: against what was written, against an independent reader, and both ways of parsing each other. */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { SafeTensor } from 'safetensors';
import { describe, expect, it } from 'vitest';
import { parseCanonicalHeader } from '../../src/loader/format/canonical-header.js';
import { scanHeader } from '../../src/loader/format/parse-header.js';
import { readHeader } from '../../src/loader/format/read-header.js';
import { SafetensorsError } from '../../src/loader/format/safetensors-error.js';
import { DTYPE_BITS, type Dtype } from '../../src/tensor/dtype.js';
import { memorySource } from './memory-source.js';
import { safetensorsBytes, type TensorBytes } from './safetensors-bytes.js';

const dtypes = (Object.keys(DTYPE_BITS) as Dtype[]).filter((dtype) => DTYPE_BITS[dtype] >= 8);

const tensor = fc
  .record({
    name: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', 'constructor', '', '7', '12')),
    dtype: fc.constantFrom(...dtypes),
    shape: fc.array(fc.nat(4), { maxLength: 4 }),
  })
  .map(({ name, dtype, shape }): TensorBytes => {
    const length = shape.reduce((product, dim) => product * dim, DTYPE_BITS[dtype] / 8);
    return { name, dtype, shape, bytes: Uint8Array.from({ length }, (_, i) => i) };
  });
const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 12 });
const metadata = fc.option(fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }), { nil: undefined });

describe('readHeader', () => {
  it('finds every tensor that was written', async () => {
    await fc.assert(
      fc.asyncProperty(tensors, metadata, async (written, meta) => {
        const bytes = safetensorsBytes(written, meta);
        const header = await readHeader(memorySource(bytes));
        expect(header.metadata === null ? undefined : Object.fromEntries(header.metadata)).toEqual(meta);
        expect([...header.tensors.keys()]).toEqual(written.map(({ name }) => name));
        for (const { name, dtype, shape, bytes: content } of written) {
          const found = header.tensors.get(name);
          expect(found).toMatchObject({ dtype, shape });
          expect(Buffer.compare(bytes.subarray(found?.begin, found?.end), content)).toBe(0);
        }
      }),
    );
  });

  it('agrees with the npm package safetensors on files without metadata', async () => {
    await fc.assert(
      fc.asyncProperty(tensors, async (written) => {
        const bytes = new Uint8Array(safetensorsBytes(written));
        const theirs = new SafeTensor(bytes);
        const { tensors: ours } = await readHeader(memorySource(bytes));
        expect([...ours.keys()].sort()).toEqual([...theirs.metadata.keys()].sort());
        for (const [name, { dtype, shape, begin, end }] of ours) {
          expect(theirs.metadata.get(name)).toEqual({ dtype, shape, data_offsets: [begin, end] });
          expect(bytes.subarray(begin, end)).toEqual(theirs.getTensor(name));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('reads what the Python package wrote: every dtype it has, odd names, a scalar, no bytes', async () => {
    const fixture = (file: string) => readFileSync(new URL(`../fixtures/loader/${file}`, import.meta.url));
    const bytes = fixture('all-dtypes.safetensors');
    const recorded = JSON.parse(fixture('all-dtypes.json').toString()) as { tensors: Record<string, unknown> };
    const header = await readHeader(memorySource(bytes));
    const found = [...header.tensors].map(([name, { dtype, shape, begin, end }]) => [
      name,
      [dtype, shape, bytes.subarray(begin, end).toString('hex')],
    ]);
    expect(new Map(found as [string, unknown][])).toEqual(new Map(Object.entries(recorded.tensors)));
    expect(header.metadata).toEqual(new Map([['format', 'pt']]));
  });

  it('ends in a verdict for any change of any byte, and both ways of parsing give the same one', async () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255), kind: fc.constantFrom('set', 'insert', 'delete') });
    await fc.assert(
      fc.asyncProperty(
        tensors,
        metadata,
        fc.array(change, { minLength: 1, maxLength: 3 }),
        async (written, meta, changes) => {
          const bytes = [...safetensorsBytes(written, meta)];
          for (const { at, byte, kind } of changes) {
            bytes.splice(at % bytes.length, kind === 'insert' ? 0 : 1, ...(kind === 'delete' ? [] : [byte]));
          }
          const verdict = await readHeader(memorySource(Uint8Array.from(bytes))).catch((error: unknown) => error);
          if (verdict instanceof Error) expect(verdict).toBeInstanceOf(SafetensorsError);
          const length = Number(Buffer.from(bytes).readBigUInt64LE());
          const json = Buffer.from(bytes.slice(8, 8 + Math.min(length, bytes.length))).toString();
          const canonical = parseCanonicalHeader(json);
          if (canonical !== undefined) expect(canonical).toEqual(scanHeader(json, 'test'));
        },
      ),
      { numRuns: 500 },
    );
  });
});
