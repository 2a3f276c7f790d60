/**
 * What transformers itself would answer, for comparison: `device_map="balanced"` (which is also its "auto") and
 * "sequential" of transformers 5, which take modules in the order they are registered and fill one device after another.
 *
 * Known weaknesses belong to the answer: sizes ignore the float32 exceptions, caches and activations, the room kept for
 * streamed layers is charged to the first GPU only, and Q-Former layers may be cut. Buffers that no file holds count; parameters that a
 * class makes in float32 itself count there as they are, and here as the others.
 */
import { at, found } from '../../../checked-access.js';
import { DTYPE_BITS, type Dtype, isFloating } from '../../../tensor/dtype.js';
import { tensorBytes, type TensorTable } from '../../../tensor/tensor-info.js';
import { emitDeviceMap } from '../../map/emit-device-map.js';
import type { Device, DeviceMap } from '../../map/device-map.js';
import { STORED_AS, type LoadDtype } from '../../../tensor/load-dtype.js';
import type { ModelTable } from '../../models/read-model-table.js';
import type { Budgets } from '../request/budgets.js';
import { registeredModules, type RegisteredModules } from './registered-modules.js';
import { isWithin, parentOf, pathsAbove } from '../../map/module-paths.js';

interface Module {
  readonly name: string;
  readonly parameters: string[];
  readonly buffers: string[];
  readonly children: Map<string, Module>;
  /** Not to be split. */
  readonly whole: boolean;
  /** Whether modules without weights are below it. */
  readonly hasEmpty: boolean;
}

/** Waiting to be placed: a module, or a parameter that its split parent owned. */
interface Waiting {
  readonly name: string;
  readonly module: Module | null;
}

/** What transformers is told where it places a model itself: `device_map="balanced"` or `"sequential"`. */
export interface StrategyInput {
  readonly tensors: TensorTable;
  /** The parsed `config.json`. */
  readonly config: unknown;
  /** For models that are not BLIP-2. */
  readonly models?: ModelTable | undefined;
  readonly budgets: Budgets;
  readonly dtype: LoadDtype;
  readonly strategy: 'balanced' | 'sequential';
}

/**
 * The device map that transformers itself would answer.
 * @throws Blip2Error `CONFIG_INVALID`, `MODEL_UNKNOWN`
 */
export function transformersStrategy({ budgets, dtype, strategy, ...input }: StrategyInput): DeviceMap {
  const floats = STORED_AS[dtype];
  const registered = registeredModules(input.tensors, input.config, input.models, DTYPE_BITS[floats] / 8);
  const { names, tensors, ties, buffers } = registered;
  const root = moduleOf('', registered);
  const sizes = new Map<string, number>();
  const count = (name: string, bytes: number) => {
    for (const path of [name, ...pathsAbove([name]), '']) sizes.set(path, (sizes.get(path) ?? 0) + bytes);
  };
  const modules = new Set(buffers.flatMap(({ name, isModule }) => (isModule ? [name] : [])));
  for (const name of names) {
    const info = tensors.get(name);
    const module = moduleAt(root, modules.has(name) ? name : parentOf(name), registered);
    if (!modules.has(name)) (registered.isBuffer(name) ? module.buffers : module.parameters).push(name);
    count(name, ties.has(name) || info === undefined ? 0 : tensorBytes(info, isCast(info.dtype) ? floats : info.dtype));
  }
  for (const { name, bytes } of buffers) count(name, bytes);
  const limits = strategy === 'balanced' ? balanced(root, sizes, budgets.gpus) : budgets.gpus;
  const capacity = new Map<Device, number>([
    ...[...limits].sort(([a], [b]) => a - b),
    ['cpu', budgets.ramBytes ?? Infinity],
    ['disk', Infinity],
  ]);
  const placed = fill(root, sizes, ties, capacity);
  return emitDeviceMap(
    placed,
    [...tensors.keys()].filter((name) => !ties.has(name)),
  );
}

/** Integers, and floats of fewer bits, which are quantised, keep their dtype. */
const isCast = (dtype: Dtype): boolean => isFloating(dtype) && DTYPE_BITS[dtype] >= 16;

/** One pass over the modules with a cursor over the devices that never goes back. */
function fill(
  root: Module,
  sizes: ReadonlyMap<string, number>,
  ties: ReadonlyMap<string, string>,
  capacity: ReadonlyMap<Device, number>,
): Map<string, Device> {
  const devices = [...capacity.keys()];
  const used = new Map<Device, number>(devices.map((device) => [device, 0]));
  const placed = new Map<string, Device>();
  const groups = tiedGroups(ties);
  let waiting: Waiting[] = partsOf(root);
  let cursor = 0;
  let reserve = largestLayer(waiting, sizes);
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { name, module } = next;
    reserve.names = reserve.names.filter((each) => !isWithin(each, name));
    if (reserve.names.length === 0) reserve = largestLayer(waiting, sizes);
    const size = found(sizes, name);
    const outside = groups
      .filter((group) => group.some((each) => isWithin(each, name)) && !group.every((each) => isWithin(each, name)))
      .flatMap((group) => group.filter((each) => !isWithin(each, name)));
    const companions = new Map<string, Waiting>();
    for (const tied of outside) {
      const owner = waiting.find((each) => tied.startsWith(`${each.name}.`));
      if (owner !== undefined) companions.set(owner.name, owner);
    }
    const together = [...companions.keys()].reduce((sum, each) => sum + found(sizes, each), size);
    const device = at(devices, cursor);
    // Of GPUs, the first.
    const keepsRoom = device === 'cpu' || cursor === 0;
    const room = found(capacity, device) - (keepsRoom ? reserve.size : 0);
    const before = found(used, device);
    if (before + together <= room) {
      used.set(device, before + together);
      for (const each of [name, ...companions.keys()]) placed.set(each, device);
      waiting = waiting.filter((each) => !companions.has(each.name));
      continue;
    }
    if (outside.length > 0 && before + size <= room) {
      const large = [...companions.values()].flatMap((each) => each.module ?? []).find(canSplit);
      if (large !== undefined) {
        waiting = [next, ...waiting.flatMap((each) => (each.name === large.name ? partsOf(large) : [each]))];
        reserve = largestLayer(waiting, sizes);
        continue;
      }
    }
    if (module !== null && canSplit(module)) {
      waiting = [...partsOf(module), ...waiting];
      reserve = largestLayer(waiting, sizes);
      continue;
    }
    cursor += 1;
    waiting = [next, ...waiting];
  }
  return placed;
}

/** All GPUs but the last get an even share and room for one large block. */
function balanced(
  root: Module,
  sizes: ReadonlyMap<string, number>,
  gpus: ReadonlyMap<number, number>,
): Map<number, number> {
  const ids = [...gpus].flatMap(([id, bytes]) => (bytes > 0 ? [id] : [])).sort((a, b) => a - b);
  if (ids.length === 0) return new Map(gpus);
  let largest = 0;
  const visit = (module: Module): void => {
    const own = module.parameters.reduce((sum, name) => sum + found(sizes, name), 0);
    largest = Math.max(largest, own, module.whole ? found(sizes, module.name) : 0);
    for (const child of module.children.values()) visit(child);
  };
  for (const child of root.children.values()) visit(child);
  const share = Math.floor(found(sizes, '') / ids.length) + Math.floor(1.25 * largest);
  const last = ids.at(-1);
  return new Map([...gpus].map(([id, bytes]) => [id, id === last || bytes === 0 ? bytes : Math.min(share, bytes)]));
}

/** The largest module that would be streamed whole, and every module of that size. */
function largestLayer(
  waiting: readonly Waiting[],
  sizes: ReadonlyMap<string, number>,
): { size: number; names: string[] } {
  let size = 0;
  let names: string[] = [];
  const visit = (module: Module): void => {
    if (canSplit(module)) {
      for (const child of module.children.values()) visit(child);
      return;
    }
    const own = found(sizes, module.name);
    if (own > size) {
      size = own;
      names = [module.name];
    } else if (own === size) names.push(module.name);
  };
  for (const { module } of waiting) if (module !== null) visit(module);
  return { size, names };
}

function canSplit({ children, hasEmpty, whole }: Module): boolean {
  return !whole && (children.size > 0 || hasEmpty);
}

function partsOf(module: Module): Waiting[] {
  return [
    ...module.parameters.map((name) => ({ name, module: null })),
    ...[...module.children.values()].map((child) => ({ name: child.name, module: child })),
    // Those of other modules get no device when the module is split, and no bytes: what is above them may cover them.
    ...(module.name === '' ? module.buffers.map((name) => ({ name, module: null })) : []),
  ];
}

function moduleOf(name: string, { isWhole, hasEmpty }: RegisteredModules): Module {
  const [whole, split] = [isWhole(name), hasEmpty(name)];
  return { name, parameters: [], buffers: [], children: new Map(), whole, hasEmpty: split };
}

/** The module of a path, made where it is not there yet. */
function moduleAt(root: Module, path: string, registered: RegisteredModules): Module {
  let module = root;
  for (const part of path === '' ? [] : path.split('.')) {
    let child = module.children.get(part);
    if (child === undefined) {
      const name = module.name === '' ? part : `${module.name}.${part}`;
      child = moduleOf(name, registered);
      module.children.set(part, child);
    }
    module = child;
  }
  return module;
}

function tiedGroups(ties: ReadonlyMap<string, string>): string[][] {
  const groups = new Map<string, string[]>();
  for (const [name, source] of ties) groups.set(source, [...(groups.get(source) ?? [source]), name]);
  return [...groups.values()].map((group) => group.sort());
}
