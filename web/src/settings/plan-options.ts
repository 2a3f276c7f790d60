/** What the settings ask of the planner: the same that `blip2-plan` asks with the flags of `commandLine`. */
import { Blip2Error } from '../../../src/errors.js';
import { isBlip2 } from '../../../src/model/blip2-config.js';
import { loadedModel } from '../../../src/planner/models/loaded-model.js';
import { indexedDtype } from '../../../src/planner/models/stored-dtype.js';
import { whyUnknown } from '../../../src/planner/models/why-unknown.js';
import type { ModelTable } from '../../../src/planner/models/read-model-table.js';
import { autoBatches } from '../../../src/planner/plan/plan-for-batches.js';
import type { PlanOptions } from '../../../src/planner/plan/request/plan-options.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from '../../../src/planner/price/known-devices.js';
import type { OpenModel } from '../model/open-model.js';
import { cardsOf, memoryOf } from './card-groups.js';
import { engineOf } from './engine-of.js';
import type { Settings } from './settings.js';

/** What the command was told and the page has no field for; it stays as it was. */
export type CarriedOptions = Pick<PlanOptions, 'dtypes' | 'provider' | 'pins' | 'machine' | 'names'> & {
  readonly pictureSize?: { readonly height: number; readonly width: number };
};

export interface PlanQuestion {
  readonly options: PlanOptions;
  /** Numbers of pictures per call to choose from; absent for one that is settled. */
  readonly batches?: readonly number[];
}

/** @throws Blip2Error `MODEL_UNKNOWN`, `USAGE` for settings that say too little */
export function planQuestion(
  settings: Settings,
  model: OpenModel,
  { table, carried }: { table?: ModelTable; carried?: CarriedOptions },
): PlanQuestion {
  const cards = cardsOf(settings.groups);
  if (cards.length === 0 && settings.ramBytes === null) {
    throw new Blip2Error('USAGE', 'Say how much memory there is: a card, or host memory.', {
      hint: 'Add a card, or give a size such as 16G for the host memory.',
    });
  }
  if (cards.some(({ card }) => card === null) && cards.some(({ card }) => card !== null)) {
    throw new Blip2Error('USAGE', 'Some cards have a name, and some have not.', {
      hint: 'Name every card, or none: their speeds differ, and the fastest placement with them.',
    });
  }
  const budgets = {
    gpus: new Map(cards.map((card, id) => [id, memoryOf(card)])),
    ramBytes: settings.ramBytes,
    diskBytes: settings.diskBytes,
  };
  const named = cards.map(({ card }) => (card === null ? undefined : KNOWN_GPUS.get(card)));
  const profiles = named.filter((profile) => profile !== undefined);
  const machine =
    profiles.length > 0 && profiles.length === named.length
      ? { gpus: profiles, host: carried?.machine?.host ?? UNKNOWN_HOST }
      : carried?.machine;
  const { batch, promptTokens, newTokens, searchSeconds } = settings;
  const isOther = !isBlip2(model.config);
  if (isOther && table !== undefined) checkKnown(model, table, settings, carried);
  const engine = engineOf(settings, model);
  const indexed = isOther && table !== undefined ? indexedDtype(model.config, model.indexDtype) : undefined;
  const dtype = settings.dtype ?? indexed;
  const options: PlanOptions = {
    config: model.config,
    checkpoint: model.identity,
    budgets,
    workload: {
      ...(typeof batch === 'number' ? { batch } : {}),
      beams: settings.beams,
      ...(promptTokens === null ? {} : { promptTokens }),
      ...(newTokens === null ? {} : { newTokens }),
      ...(carried?.pictureSize === undefined ? {} : { pictureSize: carried.pictureSize }),
    },
    ...(dtype === undefined ? {} : { dtype }),
    dtypes: carried?.dtypes ?? new Map(),
    engine,
    ...(isOther && table !== undefined ? { models: table, names: carried?.names ?? 'loaded' } : {}),
    provider: carried?.provider ?? 'cuda',
    pins: carried?.pins ?? new Map(),
    allowQuant: settings.quant,
    objective: settings.objective,
    cutsLayers: settings.cutsLayers,
    // Of another engine the page has no switch for it.
    pageLocked: settings.pageLocked && engine === 'transformers',
    ...(searchSeconds === null ? {} : { timeLimitMs: 1000 * searchSeconds }),
    ...(machine === undefined ? {} : { machine }),
    reserveBytes: settings.reserveBytes,
    countContext: settings.countContext,
  };
  if (settings.objective === 'fewest-devices') {
    if (batch !== 'auto') return { options };
    throw new Blip2Error(
      'USAGE',
      'As many pictures as pay off go with the most per second, not with the fewest GPUs.',
      {
        hint: 'Give a number of pictures, or choose another aim.',
      },
    );
  }
  if (batch === 1) return { options };
  return { options, batches: batch === 'auto' ? autoBatches(budgets) : [batch] };
}

/** transformers names modules by the class: of one that is not known, only the file's names are. */
function checkKnown(model: OpenModel, table: ModelTable, { engine }: Settings, carried?: CarriedOptions): void {
  if (engine !== 'transformers' || carried?.names === 'file') return;
  if (loadedModel(table, model.config, model.tensors) !== null) return;
  throw new Blip2Error(
    'MODEL_UNKNOWN',
    `${whyUnknown(table, model.config, 'This model')}, so its names there are not known.`,
    { hint: 'Leave the engine to the page for a map in the names of the files.' },
  );
}

/** What the command warns of before it plans. */
export function unknownClass(model: OpenModel, table: ModelTable | undefined): string[] {
  if (table === undefined || loadedModel(table, model.config, model.tensors) !== null) return [];
  return [`${whyUnknown(table, model.config, 'The model')}: planned by the names in its files.`];
}
