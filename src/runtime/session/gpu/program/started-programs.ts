/** Programs over one set of weights: files mapped, weights where their units read them, sessions started. */
import type { StoredTensor } from '../../../../loader/format/stored-tensor.js';
import type { ModelConfig } from '../../../../model/blip2-config.js';
import type { GpuFloat } from '../../../graph/gpu/gpu-style.js';
import type { PictureGrid } from '../../../graph/picture-grid.js';
import type { Weights } from '../../../graph/weights.js';
import type { DeviceMemory } from '../../../device/memory/device-memory.js';
import type { RunThread } from '../../../device/thread/run-thread.js';
import type { EngineDevice, PlaceOf, SessionKind } from '../device/engine-device.js';
import { GpuProgram, type GpuProgramParts } from './gpu-program.js';
import type { Unit } from '../units/gpu-units.js';
import { HostStaging } from './host-staging.js';
import { loadWeights } from '../weights/load-weights.js';
import type { WeightFiles } from '../weights/weight-files.js';

/** A model and where its blocks run. */
export interface EngineSources<Config extends ModelConfig = ModelConfig> {
  readonly config: Config;
  /** Each in the dtype that the device computes in which runs its block. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Theirs. The model unmaps them, unless it does not open. */
  readonly files: WeightFiles;
  readonly picture: PictureGrid;
  /** The model frees the devices that run its blocks, unless it does not open. */
  readonly placeOf: PlaceOf;
}

export interface StartedPrograms<Name extends string> {
  /** null for one without units. */
  readonly programs: Readonly<Record<Name, GpuProgram | null>>;
  /** What all runs of all programs share. */
  readonly shared: {
    /** For inputs and results. */
    readonly staging: HostStaging;
    /** For wires that change their float between two devices. */
    readonly crossingStaging: HostStaging;
    /** Of what the host gives to the devices and gets from them. */
    readonly float: GpuFloat;
  };
  /** One more over the same weights, of this thread, which whoever asks for it disposes before those. */
  readonly openAnother: (
    units: readonly Unit[],
    kind: Pick<SessionKind, 'roundsFactors'> & Pick<GpuProgramParts, 'records'>,
  ) => Promise<GpuProgram>;
  /** In the order in which they have to be disposed, and the devices' memories after them. */
  readonly owned: readonly Disposable[];
  readonly memories: readonly DeviceMemory[];
}

/**
 * @param units of each program
 * @param recorded programs whose sessions record, where the device can
 * @param rounded programs whose float32 products may round their factors
 * @param threads that hold the sessions of programs, which outlive them
 */
export async function startPrograms<Name extends string>(
  units: Readonly<Record<Name, readonly Unit[]>>,
  { weights, files, placeOf }: { readonly weights: Weights } & Pick<EngineSources, 'files' | 'placeOf'>,
  {
    recorded = [],
    rounded = [],
    threads = {},
  }: {
    readonly recorded?: readonly NoInfer<Name>[];
    readonly rounded?: readonly NoInfer<Name>[];
    readonly threads?: Partial<Record<NoInfer<Name>, RunThread | undefined>>;
  } = {},
): Promise<StartedPrograms<Name>> {
  const named = Object.entries(units) as [Name, readonly Unit[]][];
  const all = named.flatMap(([, own]) => own);
  const tensorOf = (name: string) => weights.get(name);
  /** The last opened first. */
  const owned: Disposable[] = [];
  try {
    const sharing = shareArenas(all, owned);
    const loaded = loadWeights(all, files, tensorOf, placeOf);
    owned.unshift(...loaded.loaders);
    const start = async (name: Name, own: readonly Unit[]): Promise<GpuProgram | null> => {
      if (own.length === 0) return null;
      const records = recorded.includes(name);
      const roundsFactors = rounded.includes(name);
      const program = await GpuProgram.open({
        units: own,
        tensorOf,
        weights: loaded.weights,
        records,
        roundsFactors,
        sharing,
        thread: threads[name],
      });
      owned.unshift(program);
      return program;
    };
    const programs: Partial<Record<Name, GpuProgram | null>> = {};
    for (const [name, own] of named) programs[name] = await start(name, own);
    await loaded.fill();
    const devices = [...new Set(all.map(({ device }) => device))];
    const memories = devices.map(({ memory }) => memory);
    const shared = {
      staging: new HostStaging(memories),
      crossingStaging: new HostStaging(memories),
      float: (devices.find(({ isHost }) => !isHost) ?? devices[0])?.style.float ?? 'F32',
    };
    const openAnother: StartedPrograms<Name>['openAnother'] = (own, kind) =>
      GpuProgram.open({ units: own, tensorOf, weights: loaded.weights, ...kind, sharing });
    owned.push(files);
    return { programs: programs as Record<Name, GpuProgram | null>, shared, openAnother, owned, memories };
  } catch (error) {
    for (const each of owned) each[Symbol.dispose]();
    throw error;
  }
}

/** The devices whose sessions share an arena from here on: of two that are one card in orders of their own, the first. */
function shareArenas(units: readonly Unit[], owned: Disposable[]): ReadonlySet<EngineDevice> {
  const sharing = new Set<EngineDevice>();
  for (const device of new Set(units.map((unit) => unit.device))) {
    const arena = device.shareArena?.() ?? null;
    if (arena === null) continue;
    owned.unshift(arena);
    sharing.add(device);
  }
  return sharing;
}
