import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { formatSize } from '../../src/planner/size.js';
import type { Provider, ProviderAnswer, ProviderDevice } from '../../src/runtime/provider/provider.js';

export interface ListedProvider {
  readonly provider: Exclude<Provider, 'auto'>;
  readonly answer: ProviderAnswer;
}

/** What `blip2-run` can use on this machine, in the order in which it chooses. */
export async function listDevices(): Promise<ListedProvider[]> {
  // Only here, because the providers load native libraries.
  const { cudaAnswer } = await import('../../src/runtime/provider/cuda-provider.js');
  const { webgpuAnswer } = await import('../../src/runtime/provider/webgpu-provider.js');
  return [
    { provider: 'cuda', answer: cudaAnswer() },
    { provider: 'webgpu', answer: await webgpuAnswer() },
    { provider: 'cpu', answer: { works: true, devices: [host()] } },
  ];
}

function host(): ProviderDevice {
  const model = cpus()[0]?.model.trim() ?? process.arch;
  return { name: `${model}, ${availableParallelism()} threads`, memoryBytes: totalmem(), freeBytes: freemem() };
}

/** One line per device; a provider that does not work says why. */
export function deviceTable(providers: readonly ListedProvider[]): string {
  return providers
    .flatMap(({ provider, answer }) => linesOf(answer).map((line) => `${provider.padEnd(7)} ${line}`))
    .join('\n');
}

function linesOf(answer: ProviderAnswer): string[] {
  if (!answer.works) return [`not here: ${answer.reason}`];
  return answer.devices.map(({ name, memoryBytes, freeBytes }, number) => {
    const free = freeBytes === null ? '' : `, ${formatSize(freeBytes)} free`;
    return `${number} ${name}${memoryBytes === null ? '' : `, ${formatSize(memoryBytes)}${free}`}`;
  });
}
