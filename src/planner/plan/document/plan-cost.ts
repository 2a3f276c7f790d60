/** The price of a placement: milliseconds by phase, copies between devices, and bytes that are streamed. */
import { found } from '../../../checked-access.js';
import type { Prices } from '../../price/price-list.js';
import { runsOn, type Place, type Placed } from '../../price/place.js';
import { formOf, levelOf } from '../../profile/model-profile.js';
import type { Crossing, PlanCost } from './plan-document.js';

export function crossingsOf(placed: readonly Placed[], prices: Prices): Crossing[] {
  const placeOf = new Map(placed.map(({ block, place }) => [block.name, place]));
  return placed.flatMap(({ block, place }, i) => {
    const crossing = (from: string, source: Place, timesPerCall: number, ms: number): Crossing[] => {
      const [fromDevice, toDevice] = [runsOn(source), runsOn(place)];
      if (fromDevice === toDevice) return [];
      return [{ from, to: block.name, fromDevice, toDevice, timesPerCall, latencyMs: rounded(ms) }];
    };
    const before = placed[i - 1];
    const handedOn = ({ block: from, place: source }: Placed): Crossing[] => {
      const times = from.runs.reduce((sum, run) => sum + (run.outputElements > 0 ? run.runs : 0), 0);
      return crossing(from.name, source, times, prices.crossingMs(from, source, place));
    };
    return [
      ...(before === undefined ? [] : handedOn(before)),
      ...block.extraInputs.flatMap((input) => {
        const source = found(placeOf, input.from);
        const ms = prices.extraInputMs(input, block.elementBytes, source, place);
        return crossing(input.from, source, input.runs, ms);
      }),
    ];
  });
}

/** The price of a placement. */
export function costOfPlan(placed: readonly Placed[], prices: Prices, crossings: readonly Crossing[]): PlanCost {
  const byPhase = { image: 0, prompt: 0, token: 0 };
  const busy = new Map<number | 'cpu', number>();
  const range = { least: 0, most: 0 };
  const widen = (ms: number, factor: number): void => {
    range.least += ms / factor;
    range.most += ms * factor;
  };
  let streamedBytesPerCall = 0;
  let streamedBytesPerToken = 0;
  for (const { block, place } of placed) {
    for (const phase of ['image', 'prompt', 'token'] as const) byPhase[phase] += prices.phaseMs(block, place, phase);
    const device = runsOn(place);
    const blockMs = prices.blockMs(block, place);
    busy.set(device, (busy.get(device) ?? 0) + blockMs);
    widen(blockMs, prices.errorFactor(device));
    if (place.execution !== 'streamed') continue;
    for (const run of formOf(block, place.scheme).runs) {
      const copiedBytes = run.streamedBytes - levelOf(run.kept, place.level).bytes;
      streamedBytesPerCall += run.copies * copiedBytes;
      if (run.phase === 'token') streamedBytesPerToken += (run.copies / run.runs) * copiedBytes;
    }
  }
  const crossingMs = crossings.reduce((sum, crossing) => sum + crossing.latencyMs, 0);
  for (const { fromDevice, toDevice, latencyMs } of crossings) {
    // The link is the GPU's.
    const factors = [fromDevice, toDevice].flatMap((end) => (end === 'cpu' ? [] : [prices.errorFactor(end)]));
    widen(latencyMs, Math.max(...factors));
  }
  return {
    latencyMs: rounded(byPhase.image + byPhase.prompt + byPhase.token + crossingMs),
    rangeMs: { least: rounded(range.least), most: rounded(range.most) },
    imageMs: rounded(byPhase.image),
    promptMs: rounded(byPhase.prompt),
    tokenMs: rounded(byPhase.token),
    crossingMs: rounded(crossingMs),
    busiestMs: rounded(Math.max(0, ...busy.values())),
    streamedBytesPerCall,
    streamedBytesPerToken,
  };
}

/** Microseconds are below what any prediction means; rounding keeps documents the same on every machine. */
export function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
