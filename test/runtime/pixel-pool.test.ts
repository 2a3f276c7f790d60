/** Pixels made by threads, as built: a thread cannot be made of a TypeScript source. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Worker } from 'node:worker_threads';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PixelRules } from '../../src/runtime/image/pixel-rules.js';
import type * as Libvips from '../../src/runtime/image/libvips-pixels.js';
import type * as Pool from '../../src/runtime/image/pixel-pool.js';
import { preparePixels } from '../golden/prepare-pixels.js';
import { parsePreprocessorConfig } from '../../src/runtime/image/preprocessor-config.js';

const ROOT = join(import.meta.dirname, '../..');
const built = (name: string): string => pathToFileURL(join(ROOT, 'dist/src/runtime/image', name)).href;
const { PixelPool, startPixelThread, endPixelThread } = (await import(built('pixel-pool.js'))) as typeof Pool;
const { keepNoPictures } = (await import(built('libvips-pixels.js'))) as typeof Libvips;

const path = (name: string): string => join(ROOT, 'test/fixtures/pictures', name);
const NAMES = ['rgb.png', 'chroma-420.jpg', 'rgba.png', 'cmyk.jpg', 'grey-16bit.png', 'lossy.webp', 'palette.gif'];
const preprocessor = parsePreprocessorConfig({ size: { height: 12, width: 20 } });
const rules: PixelRules = { preprocessor, size: { height: 12, width: 20 }, float: 'F32' };
const expected = await Promise.all(NAMES.map(async (name) => (await preparePixels(path(name), preprocessor)).data));
const inTurns = (count: number): number[] => Array.from({ length: count }, (_, i) => i % NAMES.length);
const pathOf = (picture: number): string => path(NAMES[picture] ?? '');

let workers: Worker[] = [];
const count = (worker: Worker): number => workers.push(worker);
beforeEach(() => {
  workers = [];
  process.on('worker', count);
});
afterEach(() => void process.off('worker', count));

describe.each([0, 2])('with %i threads', (threads) => {
  it('makes of every picture what is made of it alone', async () => {
    await using pool = new PixelPool(rules, threads);
    const pictures = inTurns(200);
    const made = await Promise.all(pictures.map((picture) => pool.pixels(pathOf(picture))));
    expect(made).toEqual(pictures.map((picture) => expected[picture]));
    expect(workers.length > 0).toBe(threads > 0);
    expect(workers.length).toBeLessThanOrEqual(threads);
  });

  it('takes paths, bytes and pixels, and says why one cannot be read without a word about the others', async () => {
    await using pool = new PixelPool(rules, threads);
    const rgb = { data: new Uint8Array(20 * 12 * 3).fill(255), width: 20, height: 12 };
    const white = (await preparePixels(rgb, preprocessor)).data;
    for (let round = 0; round < 20; round++) {
      const given = [readFileSync(path('rgb.png')), path('truncated.jpg'), rgb, path('absent.png'), path('rgb.png')];
      const [bytes, damaged, pixels, absent, whole] = await Promise.allSettled(given.map((each) => pool.pixels(each)));
      expect(bytes).toEqual({ status: 'fulfilled', value: expected[0] });
      expect(damaged).toMatchObject({ reason: { name: 'Blip2Error', code: 'IMAGE_UNREADABLE' } });
      expect(pixels).toEqual({ status: 'fulfilled', value: white });
      expect(absent).toMatchObject({ reason: { name: 'Blip2Error', code: 'IMAGE_NOT_FOUND' } });
      expect(whole).toEqual({ status: 'fulfilled', value: expected[0] });
    }
  });

  it('makes the others where the bytes of one were moved elsewhere', async () => {
    await using pool = new PixelPool(rules, threads);
    const moved = new Uint8Array(10);
    structuredClone(moved, { transfer: [moved.buffer] });
    for (let round = 0; round < 20; round++) {
      const given = [path('rgb.png'), path('rgb.png'), moved, path('rgb.png'), path('rgb.png')];
      const [, , refused, ...made] = await Promise.allSettled(given.map((each) => pool.pixels(each)));
      expect(refused?.status).toBe('rejected');
      expect(made).toEqual(made.map(() => ({ status: 'fulfilled', value: expected[0] })));
    }
  });

  it('leaves what nobody waits for any more, and goes on with the next', async () => {
    await using pool = new PixelPool(rules, threads);
    const stop = new AbortController();
    const left = Promise.allSettled(inTurns(50).map((picture) => pool.pixels(pathOf(picture), stop.signal)));
    stop.abort(new Error('enough'));
    const next = await pool.pixels(path('rgb.png'));
    expect(next).toEqual(expected[0]);
    const refused = (await left).filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(40);
    for (const refusal of refused) expect(refusal).toMatchObject({ reason: { message: 'enough' } });
  });

  it('rounds to float16 for a device that reads that', async () => {
    await using pool = new PixelPool({ ...rules, float: 'F16' }, threads);
    const halves = await pool.pixels(path('rgb.png'));
    const [whole = new Float32Array()] = expected;
    expect(halves).toBeInstanceOf(Uint16Array);
    expect(Array.from(halves, halfValue)).toEqual(Array.from(whole, nearestHalf));
  });

  it('refuses a size that the model does not read', async () => {
    const asItIs = { ...rules, preprocessor: parsePreprocessorConfig({ do_resize: false }) };
    await using pool = new PixelPool(asItIs, threads);
    const refused = await Promise.allSettled(inTurns(40).map(() => pool.pixels(path('rgb.png'))));
    for (const { status, ...refusal } of refused) {
      expect(status).toBe('rejected');
      expect(refusal).toMatchObject({ reason: { code: 'IMAGE_SIZE', details: { width: 23, height: 17 } } });
    }
  });
});

describe('threads', () => {
  it('are not started for one picture after the other', async () => {
    await using pool = new PixelPool(rules, 2);
    for (const picture of inTurns(5)) expect(await pool.pixels(pathOf(picture))).toEqual(expected[picture]);
    expect(workers).toHaveLength(0);
  });

  it('have several pictures in hand: they go on while the thread that asks is held', async () => {
    await using pool = new PixelPool(rules, 1);
    let given = (): number => 0;
    process.once('worker', (worker: Worker) => {
      const { mock } = vi.spyOn(worker, 'postMessage');
      given = () => mock.calls.length;
    });
    const several = async () => Promise.all(inTurns(30).map((picture) => pool.pixels(pathOf(picture))));
    while (given() === 0) await several();
    const before = given();
    const made = several();
    expect(given() - before).toBeGreaterThan(4);
    expect(given() - before).toBeLessThan(30);
    expect(await made).toEqual(inTurns(30).map((picture) => expected[picture]));
  });

  it('may be started before their pool, and make its first picture', async () => {
    const thread = startPixelThread();
    while (thread.state === 'starting') await new Promise((resolve) => setTimeout(resolve, 5));
    const given = vi.spyOn(thread.worker, 'postMessage');
    await using pool = new PixelPool(rules, 2, thread);
    expect(await pool.pixels(pathOf(0))).toEqual(expected[0]);
    expect(given).toHaveBeenCalledWith({ picture: pathOf(0) });
    expect(workers).toHaveLength(1);
  });

  it('are not waited for where they have not started yet, or have ended', async () => {
    const starting = startPixelThread();
    const given = vi.spyOn(starting.worker, 'postMessage');
    await using pool = new PixelPool(rules, 2, starting);
    expect(await pool.pixels(pathOf(0))).toEqual(expected[0]);
    expect(given).not.toHaveBeenCalledWith({ picture: pathOf(0) });
    const ended = startPixelThread();
    await endPixelThread(ended);
    await using other = new PixelPool(rules, 2, ended);
    expect(await other.pixels(pathOf(1))).toEqual(expected[1]);
  });

  it('keep no pictures of a process that wants none', async () => {
    const threads = async () => {
      await using pool = new PixelPool(rules, 2);
      await Promise.all(inTurns(60).map((picture) => pool.pixels(pathOf(picture))));
      return workers.length;
    };
    keepNoPictures();
    sharp.cache(false);
    expect(await threads()).toBeGreaterThan(0);
    expect(sharp.cache()).toMatchObject({ memory: { max: 0 }, files: { max: 0 }, items: { current: 0, max: 0 } });
  });

  it('may end at any time: what they had in hand is made all the same', async () => {
    await using pool = new PixelPool(rules, 2);
    const pictures = inTurns(300);
    const made = pictures.map((picture) => pool.pixels(pathOf(picture)));
    await made[150];
    await Promise.all(workers.map((worker) => worker.terminate()));
    expect(workers.length).toBeGreaterThan(0);
    expect(await Promise.all(made)).toEqual(pictures.map((picture) => expected[picture]));
  });

  it('finish what was asked for before the pool is closed', async () => {
    const pool = new PixelPool(rules, 2);
    const pictures = inTurns(60);
    const made = Promise.all(pictures.map((picture) => pool.pixels(pathOf(picture))));
    await pool[Symbol.asyncDispose]();
    expect(await made).toEqual(pictures.map((picture) => expected[picture]));
  });
});

/** The number that 16 bits of IEEE 754 say, of the normal range and zero. */
function halfValue(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return sign === 1 ? -size : size;
}

/** Eleven significant bits, the even one of two that are equally near. */
function nearestHalf(value: number): number {
  const unit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), -14) - 10);
  const scaled = value / unit;
  const below = Math.floor(scaled);
  const isUp = scaled - below > 0.5 || (scaled - below === 0.5 && below % 2 !== 0);
  return (isUp ? below + 1 : below) * unit;
}
