/**
 * The GPUs that Vulkan's loader knows, by the names that their drivers give. Dawn, which is ONNX Runtime's WebGPU on Linux,
 * chooses among the same ones, and tells neither a name nor memory.
 */
import koffi, { type LibraryHandle, type TypeObject } from 'koffi';
import type { ProviderDevice } from './provider.js';
import { quietly } from './quietly.js';

const SUCCESS = 0;
/** `VkStructureType` of what is asked with or for. */
const APPLICATION_INFO = 0;
const INSTANCE_CREATE_INFO = 1;
const MEMORY_PROPERTIES_2 = 1_000_059_006;
const MEMORY_BUDGET = 1_000_237_000;
const BUDGET_EXTENSION = 'VK_EXT_memory_budget';
/** The first version that tells memory with extensions. */
const VULKAN_1_1 = (1 << 22) | (1 << 12);
/** `VK_MEMORY_HEAP_DEVICE_LOCAL_BIT` */
const DEVICE_LOCAL = 1;
/** `VkPhysicalDeviceType`, the one that Dawn prefers first: discrete, integrated, virtual, CPU, other. */
const PREFERENCE = [2, 1, 3, 4, 0];
const HEAPS = 16;

const applicationInfo = koffi.struct({
  type: 'int',
  next: 'void *',
  name: 'void *',
  version: 'uint32_t',
  engine: 'void *',
  engineVersion: 'uint32_t',
  apiVersion: 'uint32_t',
});
const instanceCreateInfo = koffi.struct({
  type: 'int',
  next: 'void *',
  flags: 'uint32_t',
  application: koffi.pointer(applicationInfo),
  layerCount: 'uint32_t',
  layers: 'void *',
  extensionCount: 'uint32_t',
  extensions: 'void *',
});
const extensionProperties = koffi.struct({ name: koffi.array('char', 256, 'String'), version: 'uint32_t' });
const deviceProperties = koffi.struct({
  versions: koffi.array('uint32_t', 2),
  vendor: 'uint32_t',
  device: 'uint32_t',
  type: 'int',
  name: koffi.array('char', 256, 'String'),
  /** Limits and sparse properties. */
  rest: koffi.array('uint8_t', 548),
});
/** How what is chained to a call begins. */
const chained = koffi.struct({ type: 'int', next: 'void *' });
const memoryBudget = koffi.struct({
  type: 'int',
  next: 'void *',
  budgets: koffi.array('uint64_t', HEAPS),
  usages: koffi.array('uint64_t', HEAPS),
});
const memoryProperties = koffi.struct({
  type: 'int',
  next: 'void *',
  typeCount: 'uint32_t',
  types: koffi.array('uint32_t', 64),
  heapCount: 'uint32_t',
  heaps: koffi.array(koffi.struct({ size: 'uint64_t', flags: 'uint32_t' }), HEAPS),
});

const LOADER = 'libvulkan.so.1';

/** Why there is no Vulkan here; null where its loader is. Asked first, because it says more than Dawn does. */
export function vulkanAbsence(): string | null {
  try {
    koffi.load(LOADER).unload();
    return null;
  } catch {
    return `Vulkan's loader ${LOADER} is not here (package libvulkan1 or vulkan-loader, and the GPU's driver)`;
  }
}

/** The adapter that Dawn prefers first; none where there is no loader, or it knows none. */
export function vulkanAdapters(): ProviderDevice[] {
  try {
    return quietly(listAdapters);
  } catch {
    return [];
  }
}

function listAdapters(): ProviderDevice[] {
  const vulkan = koffi.load(LOADER);
  const create = vulkan.func('vkCreateInstance', 'int', [
    koffi.pointer(instanceCreateInfo),
    'void *',
    koffi.out(koffi.pointer('void *')),
  ]);
  const enumerate = vulkan.func('int vkEnumeratePhysicalDevices(void *, _Inout_ uint32_t *, void *)');
  const instance: [bigint | null] = [null];
  const application = {
    type: APPLICATION_INFO,
    next: null,
    name: null,
    version: 0,
    engine: null,
    engineVersion: 0,
    apiVersion: VULKAN_1_1,
  };
  const info = {
    type: INSTANCE_CREATE_INFO,
    next: null,
    flags: 0,
    application,
    layerCount: 0,
    layers: null,
    extensionCount: 0,
    extensions: null,
  };
  if (create(info, null, instance) !== SUCCESS) return [];
  try {
    const count = [0];
    enumerate(instance[0], count, null);
    const handles = new BigUint64Array(count[0] ?? 0);
    if (enumerate(instance[0], count, handles) !== SUCCESS) return [];
    return [...handles]
      .map((handle) => describe(vulkan, handle))
      .toSorted((a, b) => PREFERENCE.indexOf(a.type) - PREFERENCE.indexOf(b.type))
      .map(({ device }) => device);
  } finally {
    vulkan.func('void vkDestroyInstance(void *, void *)')(instance[0], null);
  }
}

function describe(vulkan: LibraryHandle, handle: bigint): { readonly type: number; readonly device: ProviderDevice } {
  const { type, name } = asked(deviceProperties, (properties) => {
    vulkan.func('void vkGetPhysicalDeviceProperties(uint64_t, void *)')(handle, properties);
  }) as { type: number; name: string };
  const tellsBudget = extensionsOf(vulkan, handle).includes(BUDGET_EXTENSION);
  let memory: unknown;
  const budget = asked(memoryBudget, (room) => {
    koffi.encode(room, chained, { type: MEMORY_BUDGET, next: null });
    memory = asked(memoryProperties, (properties) => {
      koffi.encode(properties, chained, { type: MEMORY_PROPERTIES_2, next: tellsBudget ? room : null });
      vulkan.func('void vkGetPhysicalDeviceMemoryProperties2(uint64_t, void *)')(handle, properties);
    });
  });
  const { heaps: all, heapCount } = memory as { heaps: { size: bigint | number; flags: number }[]; heapCount: number };
  const { budgets, usages } = budget as { budgets: BigUint64Array; usages: BigUint64Array };
  const heaps = all.slice(0, heapCount).map(({ size, flags }, index) => ({
    isLocal: (flags & DEVICE_LOCAL) !== 0,
    bytes: Number(size),
    freeBytes: tellsBudget ? Number((budgets[index] ?? 0n) - (usages[index] ?? 0n)) : null,
  }));
  const [largest] = heaps.filter(({ isLocal }) => isLocal).toSorted((a, b) => b.bytes - a.bytes);
  return { type, device: { name, memoryBytes: largest?.bytes ?? null, freeBytes: largest?.freeBytes ?? null } };
}

function extensionsOf(vulkan: LibraryHandle, handle: bigint): string[] {
  const enumerate = vulkan.func(
    'int vkEnumerateDeviceExtensionProperties(uint64_t, void *, _Inout_ uint32_t *, void *)',
  );
  const count = [0];
  enumerate(handle, null, count, null);
  const list = koffi.alloc(extensionProperties, Math.max(count[0] ?? 0, 1));
  try {
    enumerate(handle, null, count, list);
    const known = koffi.decode(list, koffi.array(extensionProperties, count[0] ?? 0)) as { name: string }[];
    return known.map(({ name }) => name);
  } finally {
    koffi.free(list);
  }
}

/** What a function writes into a struct. */
function asked(struct: TypeObject, ask: (pointer: bigint) => void): unknown {
  const pointer = koffi.alloc(struct, 1);
  try {
    ask(pointer);
    return koffi.decode(pointer, struct);
  } finally {
    koffi.free(pointer);
  }
}
