/** One cache for many processes, as containers with one volume have it: nothing that one does may harm another. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { removeAbandonedFiles } from '../../src/loader/write/temporary-file.js';
import { safetensorsBytes } from './safetensors-bytes.js';

const BUILT = new URL('../../dist/src/loader/index.js', import.meta.url).href;
const VALUES = 500_000;

let folder: string;
let cache: string;
let expected: Buffer;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-shared-cache-'));
  cache = join(folder, 'cache');
  // bfloat16 is the upper half of a float32, and has these numbers exactly.
  expected = Buffer.from(Float32Array.from({ length: VALUES }, (_, i) => (i % 256) - 128).buffer);
  const bytes = new Uint8Array(2 * VALUES);
  for (let i = 0; i < VALUES; i++) bytes.set(expected.subarray(4 * i + 2, 4 * i + 4), 2 * i);
  await writeFile(
    join(folder, 'model.safetensors'),
    safetensorsBytes([{ name: 'w', dtype: 'BF16', shape: [VALUES], bytes }]),
  );
});
afterEach(() => rm(folder, { recursive: true }));

/** Converts in a process of its own. `hold`: says "held" half way, and goes on once it is told. */
function convert(hold = false): ChildProcess & { readonly ended: Promise<unknown[]> } {
  const script = `
    import { readSync } from 'node:fs';
    import { materializeTensors, openCheckpoint } from ${JSON.stringify(BUILT)};
    let held = ${!hold};
    const { file, convertedBytes } = await materializeTensors(await openCheckpoint(${JSON.stringify(folder)}), new Map([['w', 'F32']]),
      ${JSON.stringify(cache)}, { bufferBytes: 1, onProgress: (written, total) => {
        if (held || written < total / 2) return;
        held = true;
        console.log('held');
        readSync(0, Buffer.alloc(1));
      } });
    console.log(JSON.stringify({ file, convertedBytes }));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  return Object.assign(child, { ended: once(child, 'exit') });
}

async function lines(child: ChildProcess): Promise<string[]> {
  const all: string[] = [];
  if (child.stdout === null) throw new Error('no output');
  for await (const line of createInterface(child.stdout)) all.push(line);
  return all;
}

async function held(child: ChildProcess): Promise<void> {
  if (child.stdout === null) throw new Error('no output');
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  expect(text.toString()).toBe('held\n');
}

async function expectOneGoodFile(): Promise<void> {
  const names = await readdir(cache);
  expect(names).toHaveLength(1);
  const path = join(cache, names[0] ?? '');
  const tensor = (await openCheckpoint(path)).tensors.get('w');
  const bytes = await readFile(path);
  expect(Buffer.compare(bytes.subarray(tensor?.begin, tensor?.end), expected)).toBe(0);
}

describe('processes with one cache', () => {
  it('all have the file, however many make it at once', async () => {
    for (let round = 0; round < 3; round++) {
      await rm(cache, { recursive: true, force: true });
      const answers = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const child = convert();
          const [text = ''] = await lines(child);
          expect(await child.ended).toEqual([0, null]);
          return (JSON.parse(text) as { file: string }).file;
        }),
      );
      expect(new Set(answers).size).toBe(1);
      await expectOneGoodFile();
    }
  });

  it('do not wait for one that is held, which ends well too', async () => {
    const slow = convert(true);
    await held(slow);
    const quick = convert();
    expect(await quick.ended).toEqual([0, null]);
    slow.stdin?.end('x');
    expect(await slow.ended).toEqual([0, null]);
    await expectOneGoodFile();
  });

  it('leave what a living process writes, however old it looks, and remove what a killed one has left', async () => {
    const writer = convert(true);
    await held(writer);
    const [name = ''] = await readdir(cache);
    expect(name).toMatch(/^\.[0-9a-f]{32}\.safetensors\.[0-9a-f-]{36}\.blip2-partial$/);
    await utimes(join(cache, name), 1, 1);
    await removeAbandonedFiles(cache);
    expect(await readdir(cache)).toEqual([name]);
    writer.kill('SIGKILL');
    await writer.ended;
    await removeAbandonedFiles(cache);
    expect(await readdir(cache)).toEqual([]);
  });

  it('take no part in what a killed one has left', async () => {
    const killed = convert(true);
    await held(killed);
    killed.kill('SIGKILL');
    await killed.ended;
    expect(await convert().ended).toEqual([0, null]);
    await expectOneGoodFile();
  });
});
