import { freemem, totalmem } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { formatSize, type GpuProfile, type HostProfile } from '../../src/planner/index.js';
import { defaultCacheFolder } from '../../src/runtime/device/cache-folder.js';
import { readBlink } from '../../src/runtime/calibrate/blink-file.js';
import { hostName } from '../../src/runtime/calibrate/host-name.js';
import type { Provider, ProviderAnswer, ProviderDevice } from '../../src/runtime/device/provider.js';

export interface ListedProvider {
  readonly provider: Exclude<Provider, 'auto'>;
  readonly answer: ProviderAnswer;
  /** What was measured of its devices in a blink, and when; the calibration of the machine, where there is one, wins. */
  readonly measured: readonly MeasuredDevice[];
}

export interface MeasuredDevice {
  /** Number of the device. */
  readonly device: number;
  /** As 2026-11-28. */
  readonly day: string;
  readonly profile: GpuProfile | HostProfile;
  /** Of a host: whether its threads spin while they wait, as they do where it computes alone. */
  readonly spins?: boolean;
}

/** What `blip2-run` can use on this machine, in the order in which it chooses. */
export async function listDevices(): Promise<ListedProvider[]> {
  // Only here, because the providers load native libraries.
  const { cudaAnswer } = await import('../../src/runtime/device/cuda-provider.js');
  const { webgpuAnswer } = await import('../../src/runtime/device/webgpu-provider.js');
  const { cardIdentities, hostIdentity } = await import('../../src/runtime/calibrate/machine-identity.js');
  const { cards, hosts } = await readBlink(defaultCacheFolder());
  const kept = cardIdentities().flatMap((identity, device) => {
    const card = cards.find((each) => isDeepStrictEqual(each.identity, identity));
    return card === undefined ? [] : [{ device, day: card.day, profile: card.profile }];
  });
  const own = hosts.filter(({ identity }) => isDeepStrictEqual(identity, hostIdentity(identity.spins)));
  return [
    { provider: 'cuda', answer: cudaAnswer(), measured: kept },
    { provider: 'webgpu', answer: await webgpuAnswer(), measured: [] },
    {
      provider: 'cpu',
      answer: { works: true, devices: [host()] },
      measured: own.map(({ day, profile, identity: { spins } }) => ({ device: 0, day, profile, spins })),
    },
  ];
}

function host(): ProviderDevice {
  return { name: hostName(), memoryBytes: totalmem(), freeBytes: freemem() };
}

/** One line per device, and one for what was measured of it; a provider that does not work says why. */
export function deviceTable(providers: readonly ListedProvider[]): string {
  return providers
    .flatMap((listed) => linesOf(listed).map((line) => `${listed.provider.padEnd(7)} ${line}`))
    .join('\n');
}

function linesOf({ answer, measured }: ListedProvider): string[] {
  if (!answer.works) return [`not here: ${answer.reason}`];
  return answer.devices.flatMap(({ name, memoryBytes, freeBytes }, number) => {
    const free = freeBytes === null ? '' : `, ${formatSize(freeBytes)} free`;
    const own = measured.filter(({ device }) => device === number);
    return [
      `${number} ${name}${memoryBytes === null ? '' : `, ${formatSize(memoryBytes)}${free}`}`,
      ...own.map(
        ({ day, profile, spins }) =>
          `${number} measured in a blink on ${day}${spins === false ? ', beside a GPU' : ''}: ${ratesOf(profile)}`,
      ),
    ];
  });
}

/** The rates that decide plans, for a person. */
export function ratesOf(profile: GpuProfile | HostProfile): string {
  const memory = `${rate(profile.memoryBytesPerSecond)} of weights`;
  if (!('link' in profile)) return `${memory}, ${tera(profile.flopsPerSecond)}, ${profile.leafMs} ms a module`;
  const { streamBytesPerSecond, contextBytes } = profile.engines['blip2-run'];
  const link = `link ${rate(streamBytesPerSecond)} and ${profile.link.latencyMs} ms`;
  return `${memory}, ${tera(profile.flopsPerSecond.float16)} in float16, ${link}, ${formatSize(contextBytes)} taken by driver and libraries`;
}

export function rate(bytesPerSecond: number): string {
  return `${threeDigits(bytesPerSecond / 1e9)} GB/s`;
}

function tera(flopsPerSecond: number): string {
  return `${threeDigits(flopsPerSecond / 1e12)} TFLOP/s`;
}

const threeDigits = (value: number): string => (value < 999.5 ? value.toPrecision(3) : value.toFixed());
