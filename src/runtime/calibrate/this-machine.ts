/** The speeds of this machine's own parts: as measured in a blink, now or before, else by the table. */
import { isDeepStrictEqual } from 'node:util';
import type { GpuProfile, MachineProfile } from '../../planner/price/device-profile.js';
import { findCard } from '../../planner/price/find-card.js';
import { onLink, UNKNOWN_GPU, UNKNOWN_HOST } from '../../planner/price/known-devices.js';
import { hasCuda } from '../device/cuda-provider.js';
import { vulkanAdapters } from '../device/vulkan-adapters.js';
import { keepBlink, readBlink, type Blink, type CardIdentity, type HostIdentity } from './blink-file.js';
import { cardIdentities, hostIdentity } from './machine-identity.js';
import { measureInABlink } from './measure-in-a-blink.js';

export interface Parts {
  /** Numbers of the GPUs in the order of the plan's; none for the CPU alone. */
  readonly gpus: readonly number[];
  /** What they are reached through. Only CUDA's cards are measured; the adapter that WebGPU takes is known by its name, where Vulkan tells it. */
  readonly provider: 'cuda' | 'webgpu';
}

export interface MeasuringOptions {
  readonly cacheFolder: string;
  /** Measures what nothing is kept of. Default `measureInABlink`. */
  readonly measure?: typeof measureInABlink;
  /** Names of WebGPU's adapters. Default: those that Vulkan knows. */
  readonly adapters?: () => readonly { readonly name: string }[];
}

/** Whether CUDA can be used here, on cards of all these numbers. */
export function hasCards(gpus: readonly number[]): boolean {
  return gpus.length === 0 || (hasCuda() && identitiesOf({ gpus, provider: 'cuda' }).every((card) => card !== null));
}

/** By the table, with the links that the cards have here. */
export function estimatedMachine(parts: Parts): MachineProfile {
  return { gpus: estimatesOf(parts), host: UNKNOWN_HOST };
}

/**
 * Never fails: what cannot be measured is as the table has it, and says so. What is measured is kept for the next time, with
 * what identifies card, link, driver, processor and ONNX Runtime; where any of that has changed, it is measured again.
 */
export async function thisMachine(
  parts: Parts,
  { cacheFolder, measure = measureInABlink, adapters }: MeasuringOptions,
): Promise<MachineProfile> {
  const cards = identitiesOf(parts);
  const host = hostIdentity(parts.gpus.length === 0);
  const kept = await readBlink(cacheFolder);
  const missing = cards.flatMap((identity, i) => {
    const gpu = parts.gpus[i];
    if (gpu === undefined || identity === null || cardIn(kept, identity) !== undefined) return [];
    return [{ gpu, identity }];
  });
  const knowsHost = hostIn(kept, host) !== undefined;
  let made: Blink = { cards: [], hosts: [] };
  let failure = '';
  if (missing.length > 0 || !knowsHost) {
    try {
      made = await measured(missing, knowsHost ? null : host, measure);
      // A folder that cannot be written is no reason not to use what was measured.
      await keepBlink(made, cacheFolder).catch(() => undefined);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
  }
  const unmeasured = <Profile extends { readonly source: string }>(profile: Profile): Profile => ({
    ...profile,
    source: `${profile.source}; it could not be measured here (${failure})`,
  });
  return {
    gpus: estimatesOf(parts, adapters).map((estimate, index) => {
      const identity = cards[index] ?? null;
      if (identity === null) return estimate;
      return cardIn(kept, identity) ?? cardIn(made, identity) ?? unmeasured(estimate);
    }),
    host: hostIn(kept, host) ?? hostIn(made, host) ?? unmeasured(UNKNOWN_HOST),
  };
}

/** null for a GPU that CUDA's driver does not know. */
function identitiesOf({ gpus, provider }: Parts): (CardIdentity | null)[] {
  const all = provider === 'cuda' && gpus.length > 0 ? cardIdentities() : [];
  return gpus.map((gpu) => all[gpu] ?? null);
}

function estimatesOf(parts: Parts, adapters: MeasuringOptions['adapters'] = vulkanAdapters): GpuProfile[] {
  const named = parts.provider === 'webgpu' && parts.gpus.length > 0 ? adapters() : [];
  return identitiesOf(parts).map((identity, index) => {
    const name = identity?.name ?? named[parts.gpus[index] ?? -1]?.name ?? '';
    const card = findCard(name)?.profile ?? UNKNOWN_GPU;
    return identity?.link == null ? card : onLink(card, identity.link);
  });
}

async function measured(
  missing: readonly { readonly gpu: number; readonly identity: CardIdentity }[],
  host: HostIdentity | null,
  measure: typeof measureInABlink,
): Promise<Blink> {
  const day = new Date().toISOString().slice(0, 10);
  const answer = await measure({
    source: `measured in a blink on ${day}`,
    cards: missing.map(({ gpu, identity: { name } }) => ({ gpu, name })),
    host: host === null ? null : { spins: host.spins },
  });
  return {
    cards: missing.flatMap(({ identity }, i) => {
      const profile = answer.cards[i];
      return profile === undefined ? [] : [{ identity, day, profile }];
    }),
    hosts: host === null || answer.host === null ? [] : [{ identity: host, day, profile: answer.host }],
  };
}

function cardIn({ cards }: Blink, identity: CardIdentity): GpuProfile | undefined {
  return cards.find((card) => isDeepStrictEqual(card.identity, identity))?.profile;
}

function hostIn({ hosts }: Blink, identity: HostIdentity) {
  return hosts.find((host) => isDeepStrictEqual(host.identity, identity))?.profile;
}
