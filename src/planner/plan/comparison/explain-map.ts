/** What somebody else's device map means: its faults, its price, and what the planner would do with the same memory. */
import { at, found } from '../../../checked-access.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import type { QuantScheme } from '../../../tensor/quantized.js';
import { deviceOf, gpusOf, type Device, type DeviceMap } from '../../map/device-map.js';
import { inLoadedNames, splitOnLoad } from '../../map/file-names.js';
import { loadedModel } from '../../models/loaded-model.js';
import { keptUnder, splitUnder } from '../document/kept-modules.js';
import { strayKeys } from './unknown-keys.js';
import { isBroughtByRoot, splitMerges, validateDeviceMap, type MapIssue } from './validate-device-map.js';
import type { Location, Place } from '../../price/place.js';
import { priceList } from '../../price/price-list.js';
import type { ModelProfile, ProfileBlock } from '../../profile/model-profile.js';
import { buildPlan } from '../document/build-plan.js';
import { choosePlaces } from '../choice/choose-places.js';
import { preparePlan, type PlanContext } from '../request/prepare-plan.js';
import type { PlanOptions } from '../request/plan-options.js';
import type { Grain } from '../request/profiler.js';
import type { PlanDocument } from '../document/plan-document.js';
import { leftBehind } from './left-behind.js';
import { offMainGpu } from './off-main-gpu.js';
import { heldTogether, withTiedModules, withTiesHeld } from './ties-apart.js';

/** What a device map means for a model, what is wrong with it, and what it costs. */
export interface MapExplanation {
  readonly issues: readonly MapIssue[];
  /** The map as a plan; null where an issue leaves a block without a device. */
  readonly plan: PlanDocument | null;
  /** Bytes beyond the budget, per device that has too little. */
  readonly overBudget: readonly { readonly device: Device; readonly bytes: number }[];
}

/**
 * What somebody else's device map means, what is wrong with it, and what it costs.
 * @param options as for `planDeviceMap`; GPUs that the map names and `budgets` does not are taken to be large enough
 * @param quant block -> what the map's owner quantised it to; the others keep what the checkpoint holds
 * @throws Blip2Error as `planDeviceMap`
 */
export function explainMap(
  given: DeviceMap,
  tensors: TensorTable,
  options: PlanOptions,
  quant: ReadonlyMap<string, QuantScheme> = new Map(),
): MapExplanation {
  const byBlocks = explained(given, tensors, options, quant);
  if (gpusOf(given).size > 1) return byBlocks;
  // What is on no GPU runs on the only one, or the CPU: a map may cut what it likes, but for a module's own tensors.
  const apart = new Set<string>();
  const isApart = (path: string): boolean => apart.has(path);
  let byParts = byBlocks;
  for (let cut = cutOf(byParts); cut.some((name) => !apart.has(name)); cut = cutOf(byParts)) {
    for (const name of cut) apart.add(name);
    byParts = explained(given, tensors, { ...options, isApart }, quant);
  }
  return byParts;
}

const cutOf = ({ issues }: MapExplanation): readonly string[] =>
  issues.flatMap((issue) => (issue.code === 'MAP_BLOCK_CUT' ? issue.names : []));

function explained(
  given: DeviceMap,
  tensors: TensorTable,
  options: PlanOptions & Grain,
  quant: ReadonlyMap<string, QuantScheme>,
): MapExplanation {
  const unknown = [...gpusOf(given)].filter((id) => !options.budgets.gpus.has(id)).sort((a, b) => a - b);
  const gpus = new Map([
    ...options.budgets.gpus,
    ...unknown.map((id): [number, number] => [id, Number.MAX_SAFE_INTEGER]),
  ]);
  const asked = {
    ...options,
    cutsLayers: true,
    isGiven: true,
    onOneGpu: gpusOf(given).size <= 1,
    ...(options.names === 'file' ? {} : { isKept: (name: string) => typeof deviceOf(given, name) === 'number' }),
    allowQuant: [...new Set(quant.values())],
    budgets: { ...options.budgets, gpus },
  };
  const prepared = preparePlan(tensors, asked);
  const { fileNames } = prepared.profile;
  const map = fileNames === undefined ? given : withTied(inLoadedNames(given, fileNames), prepared.profile);
  const profile = keptUnder(prepared.profile, map);
  const predicted = priceList(profile, prepared.machine, [...prepared.budgets.gpus.keys()], map);
  const context = { ...prepared, profile, prices: predicted, predicted, settled: settledSchemes(profile, quant) };
  const model =
    profile.model === undefined || options.models === undefined
      ? null
      : loadedModel(options.models, options.config, tensors);
  const merged = fileNames === undefined ? [] : splitOnLoad(given, fileNames);
  const issues = [...validateDeviceMap(map, profile, model), ...splitMerges(merged)];
  const whole = withTiedModules(map, profile);
  const choice = placesOfMap(withTiesHeld(whole, profile), context);
  if (choice === null) return { issues, plan: null, overBudget: [] };
  const { document } = buildPlan(context, choice, null);
  const devices = document.devices.map((device) =>
    typeof device.id === 'number' && !options.budgets.gpus.has(device.id)
      ? { ...device, budgetBytes: null, freeBytes: null }
      : device,
  );
  const warnings = [
    ...document.warnings,
    ...strayKeys(given, prepared.profile, model),
    ...leftBehind(given, prepared.profile),
    ...heldTogether(whole, profile),
    ...offMainGpu(map, profile),
    ...unknown.map((id) => `GPU ${id} has no budget: nothing says whether what the map puts on it fits.`),
  ];
  return {
    issues,
    plan: { ...document, devices, warnings, device_map: Object.fromEntries(given) },
    overBudget: devices.flatMap(({ id, freeBytes }) =>
      freeBytes !== null && freeBytes < 0 ? [{ device: id, bytes: -freeBytes }] : [],
    ),
  };
}

/** A file has no name for a module whose tensors are all tied to others: it is where those are. */
function withTied(map: DeviceMap, { blocks, aliases }: ModelProfile): DeviceMap {
  const all = new Map(map);
  const homes = new Map(blocks.map((block) => [block.name, deviceOf(map, block.tensors[0] ?? block.name)]));
  for (const { name, tensors, bond } of blocks) {
    const mate = blocks.find((block) => bond !== null && block.bond === bond && block.tensors.length > 0);
    const home = mate === undefined ? undefined : homes.get(mate.name);
    if (tensors.length === 0 && home !== undefined) all.set(name, home);
  }
  for (const [alias, block] of aliases) {
    const home = homes.get(block);
    if (home !== undefined) all.set(alias, home);
  }
  return all;
}

/** The places a map means to its engine; null where a block has no device. */
function placesOfMap(map: DeviceMap, context: PlanContext): readonly Place[] | null {
  const { profile } = context;
  const devices = profile.blocks.map((block) => deviceOfBlock(map, block)).filter((device) => device !== undefined);
  if (devices.length < profile.blocks.length) return null;
  // accelerate asks the values of the map, whatever has them: a part of a block, or a module without weights.
  const gpus = [...gpusOf(map)];
  const main = gpus.length === 0 ? null : Math.min(...gpus);
  if (profile.engine === 'blip2-run') return cheapestExecution(profile, devices, context);
  const locationOf = (device: Device, block: ProfileBlock): Location => {
    if (main !== null && isBroughtByRoot(block, device, profile)) return { execution: 'resident', gpu: main };
    if (typeof device === 'number') return { execution: 'resident', gpu: device };
    return main === null
      ? { execution: 'host', store: device }
      : { execution: 'streamed', gpu: main, store: device, level: 0 };
  };
  return devices.map((device, i) => ({ ...locationOf(device, at(profile.blocks, i)), scheme: null }));
}

/** `blip2-run` decides itself whether a block that is not on a GPU is streamed or run on the CPU. */
function cheapestExecution(profile: ModelProfile, devices: readonly Device[], context: PlanContext): readonly Place[] {
  const pins = new Map(profile.blocks.map(({ name }, i) => [name, at(devices, i)]));
  const answer = choosePlaces({ ...context, pins });
  if (answer.status !== 'none') return answer.choice;
  return [...pins].map(([name, device]): Place => {
    const scheme = found(context.settled, name);
    return typeof device === 'number'
      ? { execution: 'resident', gpu: device, scheme }
      : { execution: 'host', store: device, scheme };
  });
}

/** The scheme of every block under `quant`; a token table bonded to the head goes with it. */
function settledSchemes(
  profile: ModelProfile,
  quant: ReadonlyMap<string, QuantScheme>,
): ReadonlyMap<string, QuantScheme | null> {
  const ofBond = new Map<string, QuantScheme>();
  for (const block of profile.blocks) {
    const scheme = quant.get(block.name);
    if (scheme !== undefined && block.bond !== null && block.forms.has(scheme)) ofBond.set(block.bond, scheme);
  }
  return new Map(
    profile.blocks.map((block) => {
      const scheme = quant.get(block.name) ?? (block.bond === null ? undefined : ofBond.get(block.bond));
      return [block.name, scheme !== undefined && block.forms.has(scheme) ? scheme : null];
    }),
  );
}

function deviceOfBlock(map: DeviceMap, block: ProfileBlock): Device | undefined {
  return splitUnder(map, block)?.store ?? deviceOf(map, block.tensors[0] ?? block.name);
}
