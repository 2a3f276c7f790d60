/** A checkpoint of any configuration with random weights, for shapes that no recording has. */
import { writeFile } from 'node:fs/promises';
import { openCheckpoint, type Checkpoint } from '../../src/loader/index.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { blip2Tensors } from '../../src/model/blip2-tensors.js';
import { elementCount } from '../../src/tensor/tensor-info.js';
import { safetensorsBytes } from '../loader/safetensors-bytes.js';

/** Norms' scales are about 1; everything else is small enough for sums of a few hundred terms to stay small. */
export async function randomCheckpoint(config: unknown, path: string): Promise<Checkpoint> {
  const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F32', ownHead: true });
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const rows = [...tensors].map(([name, { shape }]) => {
    const offset = shape.length === 1 && name.endsWith('.weight') ? 1 : 0;
    const values = Float32Array.from({ length: elementCount(shape) }, () => offset + random() / 4);
    return { name, dtype: 'F32', shape, bytes: new Uint8Array(values.buffer) };
  });
  await writeFile(path, safetensorsBytes(rows));
  return { ...(await openCheckpoint(path)), config };
}
