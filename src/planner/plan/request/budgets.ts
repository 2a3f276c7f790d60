import { Blip2Error } from '../../../errors.js';

/** How much of each device a plan may use. */
export interface Budgets {
  /** GPU number -> bytes. Without an entry no GPU is used. */
  readonly gpus: ReadonlyMap<number, number>;
  /** Host memory in bytes; null sets no limit. */
  readonly ramBytes: number | null;
  /** Bytes that may stay on disk and be read for every run; 0 allows none. */
  readonly diskBytes: number;
}

/** No host has more, and each is a place that every block might go to. */
const MAX_GPUS = 32;

/** The budgets, GPUs in the order of their numbers. @throws Blip2Error `BUDGET_INVALID` for too many GPUs, a budget that is not a whole number of bytes, or a GPU number that is not one. */
export function checkBudgets(budgets: Budgets): Budgets {
  const rows: [string, number][] = [
    ...[...budgets.gpus].map(([id, bytes]): [string, number] => [`GPU ${id}`, bytes]),
    ...(budgets.ramBytes === null ? [] : [['RAM', budgets.ramBytes] as [string, number]]),
    ['disk', budgets.diskBytes],
  ];
  for (const [name, bytes] of rows) {
    if (Number.isSafeInteger(bytes) && bytes >= 0) continue;
    throw new Blip2Error('BUDGET_INVALID', `The budget of ${name} is ${bytes}, not a whole number of bytes.`, {
      hint: 'Budgets are bytes, from 0 up.',
    });
  }
  if (budgets.gpus.size > MAX_GPUS) {
    throw new Blip2Error(
      'BUDGET_INVALID',
      `There are budgets for ${budgets.gpus.size} GPUs; plans are made for ${MAX_GPUS} at most.`,
    );
  }
  for (const id of budgets.gpus.keys()) {
    if (Number.isSafeInteger(id) && id >= 0) continue;
    throw new Blip2Error('BUDGET_INVALID', `${id} is not a GPU number.`, { hint: 'GPUs are numbered 0, 1, 2, ...' });
  }
  return { ...budgets, gpus: new Map([...budgets.gpus].sort(([a], [b]) => a - b)) };
}
