/** What tells one machine's parts from another's, as far as their speeds are concerned; asking takes no memory of a GPU. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as z from 'zod';
import { cudaCards } from '../device/cuda-provider.js';
import { cardLink, driverVersion } from '../device/memory/nvidia-management.js';
import type { CardIdentity, HostIdentity } from './blink-file.js';
import { hostName } from './host-name.js';

/** The CUDA cards, in the order of their numbers. */
export function cardIdentities(): CardIdentity[] {
  const runtime = runtimeVersion();
  const driver = driverVersion();
  return cudaCards().map(({ name, busId }) => ({ name, busId, link: cardLink(busId), driver, runtime }));
}

export function hostIdentity(spins: boolean): HostIdentity {
  return { name: hostName(), runtime: runtimeVersion(), spins };
}

function runtimeVersion(): string {
  const path = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(path, 'utf8'))).version;
}
