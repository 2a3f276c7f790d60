import { cp, mkdtemp, readFile, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { openCheckpoint } from '../../loader/index.js';
import type { Device } from '../../planner/map/device-map.js';
import { DriverThread } from '../device/memory/driver-thread.js';
import { openEngineParts } from './open-engine-parts.js';

const DEMO = join(import.meta.dirname, '../../../models/demo');
/** More than any machine has. */
const CARD = 99;

afterEach(() => DriverThread.end());

// Of Linux, which says what is mapped.
it.skipIf(process.platform !== 'linux').each([
  ['a card that is not there', () => Promise.resolve(), 'GPU_MISSING'],
  ['a file that is missing', (folder: string) => rm(join(folder, 'tokenizer.json')), 'CHECKPOINT_FILE_MISSING'],
  [
    'a shard that was written to',
    (folder: string) => utimes(join(folder, 'model-00002-of-00003.safetensors'), 0, 0),
    'FILE_CHANGED',
  ],
])('keeps no file mapped that it locked ahead: %s', async (_, happens, code) => {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-engine-'));
  try {
    await cp(DEMO, folder, { recursive: true });
    const { tensors, ...checkpoint } = await openCheckpoint(folder);
    await happens(folder);
    // As a card would compute with them; what fails comes before anybody reads them.
    const halves = new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, dtype: 'F16' as const }]));
    const options = { deviceMap: new Map<string, Device>([['', CARD]]) };
    DriverThread.start(CARD);
    await expect(openEngineParts({ ...checkpoint, tensors: halves }, options)).rejects.toMatchObject({ code });
    expect(await readFile('/proc/self/maps', 'utf8')).not.toContain(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
});
