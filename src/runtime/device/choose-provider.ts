import { errorText, option } from '../../error-text.js';
import { Blip2Error } from '../../errors.js';
import { cudaCount, hasCuda } from './cuda-provider.js';
import type { Provider, ProviderCount } from './provider.js';
import { webgpuAnswer } from './webgpu-provider.js';

/**
 * The provider for the GPUs of a map, or of all where none is given.
 * @param gpus their numbers
 * @throws Blip2Error `GPU_MISSING` with the reason of each provider that was tried
 */
export async function chooseGpuProvider(
  asked: Provider,
  gpus: readonly number[],
  isMapped: boolean,
): Promise<'cuda' | 'webgpu'> {
  const reasons: string[] = [];
  let devices = 0;
  for (const provider of ['cuda', 'webgpu'] as const) {
    if (asked !== 'auto' && asked !== provider) continue;
    const answer = provider === 'cuda' ? cudaCount(gpus[0]) : await webgpuCount();
    if (answer.works && gpus.every((gpu) => gpu < answer.count)) return provider;
    if (answer.works) devices = Math.max(devices, answer.count);
    reasons.push(answer.works ? `${provider}: ${answer.count} GPU here` : `${provider}: ${answer.reason}`);
  }
  if (asked === 'cpu') reasons.push('the CPU was asked for');
  const why = reasons.join('; ');
  const details = { gpus, reasons, devices };
  if (!isMapped) {
    throw new Blip2Error(
      'GPU_MISSING',
      errorText`${option('provider')} asks for a GPU, and none can be used here (${why})`,
      {
        hint: errorText`Leave ${option('provider')} out: all runs on the CPU then.`,
        details,
      },
    );
  }
  throw new Blip2Error(
    'GPU_MISSING',
    `the device map uses GPU ${gpus.join(', ')}, which cannot be used here (${why})`,
    {
      hint: errorText`Plan for the CPU alone, or run each GPU of the map as a CPU session of its own with ${option('emulateGpu')}.`,
      details,
    },
  );
}

async function webgpuCount(): Promise<ProviderCount> {
  const answer = await webgpuAnswer();
  return answer.works ? { works: true, count: answer.devices.length } : answer;
}

/** The provider that `chooseGpuProvider` will choose where it finds any; asking takes no memory of a GPU. */
export function likelyGpuProvider(asked: Provider): 'cuda' | 'webgpu' {
  return asked === 'webgpu' || (asked === 'auto' && !hasCuda()) ? 'webgpu' : 'cuda';
}
