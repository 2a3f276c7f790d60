/** What the pictures of a plan show, before any drawing: parts of the model, bars of memory, the strip of execution. */
import { formatSize } from '../../size.js';
import { schemeIn } from '../plan/document/scheme-in.js';
import type { QuantScheme } from '../../tensor/quantized.js';
import type { DeviceMemory, Placement, PlanDocument } from '../plan/document/plan-document.js';

/** A top-level piece of the model, which gets one colour and one name everywhere. */
export interface Part {
  readonly name: string;
  /** Position in the order of execution: picks the colour. */
  readonly index: number;
  readonly weightBytes: number;
}

export interface BarSegment {
  readonly label: string;
  readonly bytes: number;
  /** Index of a part, or a kind of memory that is no weight. */
  readonly fill: number | 'copies' | 'caches' | 'buffers' | 'activations' | 'staging' | 'overhead' | 'reserve' | 'free';
}

export interface DeviceBar {
  readonly name: string;
  readonly usedBytes: number;
  readonly budgetBytes: number | null;
  readonly segments: readonly BarSegment[];
}

export interface StripCell {
  readonly placement: Placement;
  readonly part: number;
  /** The row of the device that runs the block. */
  readonly lane: number;
  readonly scheme: QuantScheme | null;
}

export interface PictureData {
  readonly parts: readonly Part[];
  readonly bars: readonly DeviceBar[];
  readonly lanes: readonly string[];
  readonly cells: readonly StripCell[];
  /** What is said of quantised blocks; empty where there are none. */
  readonly quantized: readonly string[];
}

export function pictureData(plan: PlanDocument): PictureData {
  const partOf = partNames(plan.placements);
  const names = [...new Set(plan.placements.map(partOf))];
  const parts = names.map((name, index): Part => ({
    name,
    index,
    weightBytes: plan.placements.filter((p) => partOf(p) === name).reduce((sum, p) => sum + p.weightBytes, 0),
  }));
  const lanes = [...new Set(plan.placements.map((placement) => placement.runsOn))].sort((a, b) =>
    a === 'cpu' ? 1 : b === 'cpu' ? -1 : a - b,
  );
  return {
    parts,
    bars: plan.devices
      .filter((device) => device.weightBytes > 0 || (typeof device.id === 'number' && (device.budgetBytes ?? 0) > 0))
      .map((device) => barOf(device, plan, parts, partOf)),
    lanes: lanes.map(deviceName),
    cells: plan.placements.map((placement) => ({
      placement,
      part: names.indexOf(partOf(placement)),
      lane: lanes.indexOf(placement.runsOn),
      scheme: schemeIn(plan, placement.block),
    })),
    quantized: plan.accuracy.map(
      ({ scheme, blocks, weightError }) =>
        `${scheme}: ${blocks} block${blocks === 1 ? '' : 's'}, weights off by about ${(100 * weightError).toPrecision(2)} %`,
    ),
  };
}

export function deviceName(id: number | string): string {
  return typeof id === 'number' ? `GPU ${id}` : id === 'cpu' ? 'CPU' : id;
}

/** The first path component that differs between blocks. */
function partNames(placements: readonly Placement[]): (placement: Placement) => string {
  const paths = placements.map(({ block }) => block.split('.'));
  let depth = 0;
  while (paths.every((path) => path.length > depth + 1 && path[depth] === paths[0]?.[depth])) depth += 1;
  return ({ block }) => block.split('.')[depth] ?? block;
}

/** What a device's memory holds beside weights. */
export function besideWeights(device: DeviceMemory): BarSegment[] {
  return [
    { label: 'float32 copies', bytes: device.conversionBytes, fill: 'copies' },
    { label: 'caches', bytes: device.cacheBytes, fill: 'caches' },
    { label: 'buffers', bytes: device.bufferBytes, fill: 'buffers' },
    { label: 'activations', bytes: device.activationBytes, fill: 'activations' },
    { label: 'staging', bytes: device.stagingBytes, fill: 'staging' },
    { label: 'overhead', bytes: device.overheadBytes, fill: 'overhead' },
    { label: 'reserve', bytes: device.reserveBytes, fill: 'reserve' },
  ];
}

function barOf(
  device: DeviceMemory,
  plan: PlanDocument,
  parts: readonly Part[],
  partOf: (placement: Placement) => string,
): DeviceBar {
  const weights = parts.map((part): BarSegment => ({
    label: part.name,
    bytes: plan.placements
      .filter((placement) => placement.weightsOn === device.id && partOf(placement) === part.name)
      .reduce((sum, placement) => sum + placement.weightBytes, 0),
    fill: part.index,
  }));
  const used = [...weights, ...besideWeights(device)].filter((segment) => segment.bytes > 0);
  const free = device.freeBytes ?? 0;
  return {
    name: deviceName(device.id),
    usedBytes: used.reduce((sum, segment) => sum + segment.bytes, 0),
    budgetBytes: device.budgetBytes,
    segments: [...used, ...(free > 0 ? [{ label: 'free', bytes: free, fill: 'free' } as const] : [])],
  };
}

/** What a device may hold, and by how much a map that was given exceeds it. */
export function budgetText({ usedBytes, budgetBytes }: DeviceBar): string {
  if (budgetBytes === null) return 'no limit';
  const over = usedBytes - budgetBytes;
  return `${formatSize(budgetBytes)}${over > 0 ? `, ${formatSize(over)} too much` : ''}`;
}
