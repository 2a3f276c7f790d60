import { cp, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint } from '../../src/loader/index.js';

/** A copy of a float32 checkpoint, without its pictures, in which a tensor begins with other values; disposed of, it is gone. */
export async function withPokedTensor(
  model: string,
  tensor: string,
  values: readonly number[],
): Promise<AsyncDisposable & { readonly folder: string }> {
  const parent = await mkdtemp(join(tmpdir(), 'blip2-poked-'));
  const folder = join(parent, 'model');
  await cp(model, folder, { recursive: true, filter: (path) => !path.includes('pictures') });
  const stored = (await openCheckpoint(folder)).tensors.get(tensor);
  if (stored === undefined) throw new Error(`${model} has no ${tensor}`);
  const handle = await open(stored.file, 'r+');
  await handle.write(new Uint8Array(Float32Array.from(values).buffer), 0, 4 * values.length, stored.begin);
  await handle.close();
  return { folder, [Symbol.asyncDispose]: () => rm(parent, { recursive: true }) };
}
