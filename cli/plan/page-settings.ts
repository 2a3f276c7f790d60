/** The flags of a request as the settings of the page, and what the page has no field for. */
import { findCard, KNOWN_GPUS, UNKNOWN_HOST } from '../../src/planner/index.js';
import { settingsHash } from '../../web/src/settings/settings-hash.js';
import { DEFAULT_SETTINGS, type CardGroup } from '../../web/src/settings/settings.js';
import type { ReportDocument } from '../../web/src/state/given-report.js';
import type { PlanRequest } from './plan-request.js';
import type { RequestArgs } from './request-flags.js';

/** Behind the `#` of the page's address. */
export function pageSettings(args: RequestArgs, { options }: PlanRequest): string {
  const { budgets, workload, reserveBytes, countContext, cutsLayers, pageLocked } = options;
  const seconds = args['time-limit'];
  return settingsHash({
    ...DEFAULT_SETTINGS,
    model: { kind: 'held', id: options.checkpoint?.id ?? '' },
    groups: groupsOf(args, budgets.gpus),
    ramBytes: budgets.ramBytes,
    diskBytes: budgets.diskBytes,
    reserveBytes: reserveBytes ?? 0,
    countContext: countContext ?? false,
    batch: args.batch ?? 1,
    beams: workload?.beams ?? 1,
    promptTokens: workload?.promptTokens ?? null,
    newTokens: workload?.newTokens ?? null,
    dtype: options.dtype ?? null,
    quant: options.allowQuant ?? [],
    engine: args.engine ?? null,
    objective: args.objective,
    cutsLayers: cutsLayers ?? false,
    pageLocked: pageLocked ?? false,
    searchSeconds: seconds !== undefined && Number.isInteger(seconds) ? seconds : null,
  });
}

/** Neighbours that are alike are one group. A card named last is that of all GPUs behind it, as in a plan. */
function groupsOf({ gpu: names = [] }: RequestArgs, gpus: ReadonlyMap<number, number>): CardGroup[] {
  const groups: CardGroup[] = [];
  for (const [i, bytes] of [...gpus.values()].entries()) {
    const name = names[i] ?? names.at(-1);
    const card = name === undefined ? null : (findCard(name)?.profile.name ?? null);
    const isWhole = card !== null && KNOWN_GPUS.get(card)?.memoryBytes === bytes;
    const memoryBytes = isWhole ? null : bytes;
    const last = groups.at(-1);
    if (last?.card === card && last.memoryBytes === memoryBytes)
      groups[groups.length - 1] = { ...last, count: last.count + 1 };
    else groups.push({ card, count: 1, memoryBytes });
  }
  return groups;
}

/** What the page keeps as it was told, for it has no field for it. */
export function carriedOptions({ options }: PlanRequest, args: RequestArgs): ReportDocument['carried'] {
  const { machine, dtypes, pins, provider, names, workload } = options;
  const fromTable = args.gpu !== undefined && machine?.host === UNKNOWN_HOST;
  return {
    dtypes: [...(dtypes ?? [])],
    pins: Object.fromEntries(pins ?? []),
    provider: provider ?? 'cuda',
    names: names ?? null,
    machine: machine === undefined || fromTable ? null : machine,
    pictureSize: workload?.pictureSize ?? null,
  };
}

/** The same in words: the flags that say it. */
export function carriedFlags(args: RequestArgs): string[] {
  const { pin = [], dtype = [], provider, names, profile } = args;
  const size = args['picture-size'];
  return [
    ...pin.map((each) => `--pin ${each}`),
    ...dtype.filter((each) => each.includes('=')).map((each) => `--dtype ${each}`),
    ...(provider === 'webgpu' ? ['--provider webgpu'] : []),
    ...(names === 'file' ? ['--names file'] : []),
    ...(size === undefined ? [] : [`--picture-size ${size.width}x${size.height}`]),
    ...(profile === undefined || profile === 'none' ? [] : [`--profile ${profile}`]),
  ];
}
