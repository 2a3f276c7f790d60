/** Writing with several threads, in a process of the built package: threads need the file that they run. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const built = new URL('../../dist/src/loader/index.js', import.meta.url).href;
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/loader/${name}`, import.meta.url));

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'threads-'));
});

afterAll(() => rm(folder, { recursive: true }));

/** Writes every matrix of a fixture as int8, and converted, with small buffers and so many threads. */
async function write(threads: number, source = fixture('quantized-source.safetensors')): Promise<Buffer> {
  const out = join(folder, `${threads}.safetensors`);
  const script = `
    import { openCheckpoint, quantizedTensors, writeShard } from ${JSON.stringify(built)};
    const { tensors } = await openCheckpoint(${JSON.stringify(source)});
    const wanted = new Map([...tensors].flatMap(([name, source]) => [
      [name, { source, dtype: 'BF16' }], ...quantizedTensors(name, source, 'int8')]));
    await writeShard(${JSON.stringify(out)}, wanted, { threads: ${threads}, bufferBytes: 1 });`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  return readFile(out);
}

describe('writeShard', () => {
  it('writes the same bytes with any number of threads', async () => {
    const alone = await write(1);
    for (const threads of [2, 5]) expect(Buffer.compare(await write(threads), alone)).toBe(0);
  });

  it('sums the same bytes with any number of threads', async () => {
    const script = (threads: number) => `
      import { openCheckpoint, quantizedTensors } from ${JSON.stringify(built)};
      import { replaceFile } from ${JSON.stringify(new URL('./write/replace-file.js', built).href)};
      import { sealFault, writeSealed } from ${JSON.stringify(new URL('./cache/seal.js', built).href)};
      const { tensors } = await openCheckpoint(${JSON.stringify(fixture('quantized-source.safetensors'))});
      const wanted = new Map([...tensors].flatMap(([name, source]) => [
        [name, { source, dtype: 'BF16' }], ...quantizedTensors(name, source, 'int8')]));
      const out = ${JSON.stringify(join(folder, 'sealed.safetensors'))};
      await replaceFile(out, (handle) => writeSealed(handle, wanted, { threads: ${threads}, bufferBytes: 1 }));
      console.log(await sealFault(out, { extent: 'all' }));`;
    for (const threads of [1, 2, 5]) {
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script(threads)]);
      expect(stdout).toBe('null\n');
    }
  });

  it('says what is wrong whichever thread meets it', async () => {
    const script = (threads: number) => `
      import { writeFile } from 'node:fs/promises';
      import { openCheckpoint, quantizedTensors, writeShard } from ${JSON.stringify(built)};
      const floats = new Float32Array(1 << 18).fill(1);
      floats[floats.length - 1] = NaN;
      const header = JSON.stringify({ w: { dtype: 'F32', shape: [256, 1024], data_offsets: [0, 4 * floats.length] } });
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(header.length));
      const path = ${JSON.stringify(join(folder, 'nan.safetensors'))};
      await writeFile(path, Buffer.concat([length, Buffer.from(header), Buffer.from(floats.buffer)]));
      const { tensors } = await openCheckpoint(path);
      const out = ${JSON.stringify(join(folder, 'never.safetensors'))};
      await writeShard(out, new Map(quantizedTensors('w', tensors.get('w'), 'int4')), { threads: ${threads}, bufferBytes: 1 })
        .catch((error) => console.log(error.code, error.details.row));`;
    for (const threads of [1, 4]) {
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script(threads)]);
      expect(stdout).toBe('NOT_QUANTIZABLE 255\n');
    }
  });
});
