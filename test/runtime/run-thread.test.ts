/** Runs in a thread of their own, as the built package has it. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import type * as HostMemories from '../../src/runtime/device/memory/host-memory.js';
import type * as IdentityModels from '../../src/runtime/device/ort/identity-model.js';
import type * as Sessions from '../../src/runtime/device/ort/ort-session.js';
import type * as Threads from '../../src/runtime/device/thread/run-thread.js';

const built = (path: string): Promise<unknown> =>
  import(pathToFileURL(join(import.meta.dirname, '../../dist/src/runtime/device', path)).href);
const { HostMemory } = (await built('memory/host-memory.js')) as typeof HostMemories;
const { identityModel } = (await built('ort/identity-model.js')) as typeof IdentityModels;
const { OrtSession, RunOptions } = (await built('ort/ort-session.js')) as typeof Sessions;
const { RunThread } = (await built('thread/run-thread.js')) as typeof Threads;

it('runs what it is given, says what went wrong, and ends', async () => {
  using memory = new HostMemory();
  using session = new OrtSession(identityModel(), { threads: 1, silent: true });
  const [from, to] = [memory.allocateHost(4), memory.allocateHost(4)];
  const tensor = (address: bigint, dims: readonly number[]) => ({ place: 'Cpu', address, dtype: 'F32', dims }) as const;
  const { bytes } = from;
  using options = new RunOptions();
  await using thread = new RunThread();
  for (let round = 1; round < 4; round++) {
    bytes.fill(round);
    using binding = session.bind(
      new Map([['x', tensor(from.address, [1])]]),
      new Map([['y', tensor(to.address, [1])]]),
    );
    await binding.runIn(thread, options);
    expect(to.bytes).toEqual(new Uint8Array(4).fill(round));
  }
  using wrong = session.bind(new Map([['x', tensor(from.address, [1])]]), new Map([['y', tensor(to.address, [2])]]));
  await expect(wrong.runIn(thread, options)).rejects.toMatchObject({ code: 'ORT_FAILED' });
});
