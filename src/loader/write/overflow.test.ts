import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { array, assert, asyncProperty, constantFrom, float, oneof } from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { safetensorsBytes } from '../../../test/loader/safetensors-bytes.js';
import { openCheckpoint } from '../open-checkpoint.js';
import { convertFloats } from '../convert/convert-floats.js';
import { writeShard } from './write-shard.js';

/** Around the largest float16 and the largest bfloat16, and what is no number before. */
const value = oneof(
  float({ noNaN: true }),
  constantFrom(
    65504,
    65519.996,
    65520,
    -65520,
    1e6,
    -7e4,
    3.3895313892515355e38,
    3.3961775e38,
    -3.3961776e38,
    -3.4028234663852886e38,
    Infinity,
    -Infinity,
    Number.NaN,
    0,
    1,
  ),
);

it('counts the finite values that become infinite, and no others', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'overflow-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'model.safetensors');
  await assert(
    asyncProperty(
      array(value, { minLength: 1, maxLength: 4000 }),
      constantFrom(['F32', 'F16', 0x7c00] as const, ['BF16', 'F16', 0x7c00] as const, ['F32', 'BF16', 0x7f80] as const),
      async (values, [dtype, to, infinity]) => {
        const floats = Float32Array.from(values);
        const bytes = dtype === 'F32' ? new Uint8Array(floats.buffer) : new Uint8Array(2 * floats.length);
        if (dtype === 'BF16') convertFloats(new Uint8Array(floats.buffer), 'F32', bytes, 'BF16');
        await writeFile(path, safetensorsBytes([{ name: 'a', dtype, shape: [values.length], bytes }]));
        const source = (await openCheckpoint(path)).tensors.get('a');
        if (source === undefined) throw new Error('no tensor');
        let counted = -1;
        const out = join(folder, 'out.safetensors');
        await writeShard(out, new Map([['a', { source, dtype: to }]]), {
          bufferBytes: 4096,
          threads: 1,
          onOverflow: (count) => (counted = count),
        });
        const written = (await openCheckpoint(out)).tensors.get('a');
        const halves = (await readFile(out)).subarray(written?.begin, written?.end);
        const stored = new Float32Array(values.length);
        convertFloats(bytes, dtype, new Uint8Array(stored.buffer), 'F32');
        const expected = stored.filter(
          (each, i) => Number.isFinite(each) && (halves.readUInt16LE(2 * i) & 0x7fff) === infinity,
        );
        expect(counted).toBe(expected.length);
      },
    ),
    { numRuns: 60 },
  );
});
