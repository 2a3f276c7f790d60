/** The worker's side: it plans what the page asks, one question after the other, and a sweep point by point. */
import { readModelTable, type ModelTable } from '../../../src/planner/models/read-model-table.js';
import { planDeviceMap, type PlanResult } from '../../../src/planner/plan/plan-device-map.js';
import { planForBatches } from '../../../src/planner/plan/plan-for-batches.js';
import { plannedPoints } from '../../../src/planner/plan/comparison/sweep.js';
import type { IntegerSolver } from '../../../src/planner/solve/program/integer-program.js';
import { Blip2Error } from '../../../src/errors.js';
import { storedDtype } from '../../../src/planner/models/stored-dtype.js';
import { explainMap } from '../../../src/planner/plan/comparison/explain-map.js';
import type { PlanOptions } from '../../../src/planner/plan/request/plan-options.js';
import { transformersStrategy } from '../../../src/planner/plan/comparison/transformers-strategy.js';
import type { TensorInfo } from '../../../src/tensor/tensor-info.js';
import type { OpenModel } from '../model/open-model.js';
import { planQuestion, unknownClass, type PlanQuestion } from '../settings/plan-options.js';
import type { Settings } from '../settings/settings.js';
import { wantsHighs } from '../settings/wants-highs.js';
import { faultOf } from './fault.js';
import type { Order, PlanAnswer, Question, Reply, Wanted, AutoAnswer } from './messages.js';

/** `src/highs` as a script of its own. */
declare global {
  function importScripts(...addresses: string[]): void;
  var blip2Highs: { highsSolver(wasmUrl: string): Promise<IntegerSolver> } | undefined;
}

interface Known {
  readonly model: OpenModel;
  readonly table: ModelTable | undefined;
}

let known: Known | null = null;
let integerSolver: Promise<IntegerSolver> | undefined;
let latest = 0;
/** Tables are large, and one after the other model has the same. */
let readTable: { readonly text: string; readonly table: ModelTable } | undefined;

const reply = (message: Reply): void => postMessage(message);

export function startWorker(): void {
  addEventListener('message', (event: MessageEvent<Order>) => void obey(event.data));
}

async function obey(order: Order): Promise<void> {
  switch (order.kind) {
    case 'model':
      known = { model: order.model, table: tableOf(order.table) };
      return;
    case 'highs':
      integerSolver = startHighs(order.script, order.wasmBinary);
      // Whoever asks for it sees the failure.
      integerSolver.catch(() => undefined);
      return;
    case 'plan':
    case 'sweep':
      latest = order.id;
      try {
        await (order.kind === 'plan' ? answer(order) : sweep(order));
      } catch (error) {
        reply({ kind: 'failed', id: order.id, fault: faultOf(error) });
      }
      reply({ kind: 'done', id: order.id });
  }
}

function tableOf(text: string | null): ModelTable | undefined {
  if (text === null) return undefined;
  if (readTable?.text !== text) readTable = { text, table: readModelTable(text) };
  return readTable.table;
}

/** Script and bytes come from the page: from `file:` a worker may fetch neither. */
async function startHighs(script: string, wasmBinary: ArrayBuffer): Promise<IntegerSolver> {
  const address = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  importScripts(address);
  URL.revokeObjectURL(address);
  if (blip2Highs === undefined) throw new Error('the script of HiGHS defines nothing');
  const wasmUrl = URL.createObjectURL(new Blob([wasmBinary], { type: 'application/wasm' }));
  const solver = await blip2Highs.highsSolver(wasmUrl);
  URL.revokeObjectURL(wasmUrl);
  return solver;
}

type Wants<Kind> = Extract<Wanted, { kind: Kind }> & Question;

async function answer({ id, hasNear, ...asked }: Wants<'plan'>): Promise<void> {
  const { model, table } = modelOf();
  const tell = (found: PlanAnswer, isInterim: boolean): void =>
    reply({
      kind: 'plan',
      id,
      answer: found,
      isInterim,
      warnings: [...unknownClass(model, table), ...withoutHighs(asked.settings)],
    });
  // What is soon found is shown first, where HiGHS takes longer than a slider waits and nothing that comes near is shown. Nothing
  // but it knows that nothing fits.
  if (!hasNear && wantsHighs(asked.settings) && asked.settings.searchSeconds === null) {
    const soon = toAnswer(planned(model, withoutSolver(asked, { model, table })));
    if (soon.status === 'fits') tell(soon, true);
    await nextTask();
    if (latest !== id) return;
  }
  const question = await readQuestion(asked);
  const result = toAnswer(planned(model, question));
  tell(result, false);
  await nextTask();
  if (latest !== id || question.options.budgets.gpus.size === 0) return;
  const { workload } = result.status === 'fits' ? result.plan : question.options;
  const { integerSolver: _, timeLimitMs: __, ...options } = question.options;
  reply({
    kind: 'auto',
    id,
    auto: autoPlan(model.tensors, { ...options, ...(workload === undefined ? {} : { workload }) }),
  });
}

function planned({ tensors }: OpenModel, { options, batches }: PlanQuestion): PlanResult {
  return batches === undefined ? planDeviceMap(tensors, options) : planForBatches(tensors, options, batches);
}

function toAnswer(result: PlanResult): PlanAnswer {
  return result.status === 'fits' ? { status: 'fits', plan: result.plan } : result;
}

async function sweep({ id, range, workload, ...asked }: Wants<'sweep'>): Promise<void> {
  const { model } = modelOf();
  const { options } = await readQuestion(asked);
  const { integerSolver: _, timeLimitMs: __, ...usual } = options;
  for (const point of plannedPoints(model.tensors, { ...usual, ...(workload === null ? {} : { workload }) }, range)) {
    reply({ kind: 'point', id, ...point });
    await nextTask();
    if (latest !== id) return;
  }
}

/** A page that stands alone has none; the command has. */
function withoutHighs(settings: Settings): string[] {
  if (integerSolver !== undefined || !wantsHighs(settings)) return [];
  return ['HiGHS is not beside this page: the command, which has it, may find a faster placement.'];
}

async function readQuestion(asked: Omit<Question, 'id'>): Promise<PlanQuestion> {
  const solver = wantsHighs(asked.settings) ? await integerSolver : undefined;
  const question = withoutSolver(asked, modelOf());
  return solver === undefined ? question : { ...question, options: { ...question.options, integerSolver: solver } };
}

function withoutSolver({ settings, carried }: Omit<Question, 'id'>, { model, table }: Known): PlanQuestion {
  return planQuestion(settings, model, {
    ...(table === undefined ? {} : { table }),
    ...(carried === undefined ? {} : { carried }),
  });
}

function modelOf(): Known {
  if (known === null) throw new Error('no model was given');
  return known;
}

/** Lets messages in. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** transformers' own map (`device_map="auto"`), priced as `blip2-plan --strategy balanced` prices it. */
function autoPlan(tensors: ReadonlyMap<string, TensorInfo>, options: PlanOptions): AutoAnswer {
  try {
    return priced(tensors, options);
  } catch (error) {
    // The plan is none the worse for it: of classes that it does not know, nobody knows what transformers would do.
    if (error instanceof Blip2Error) return { status: 'unknown', why: error.message };
    throw error;
  }
}

function priced(tensors: ReadonlyMap<string, TensorInfo>, options: PlanOptions): AutoAnswer {
  const { config, budgets, models } = options;
  const dtype = options.dtype ?? (models === undefined ? 'float16' : storedDtype(config, tensors));
  const map = transformersStrategy({ tensors, config, budgets, dtype, strategy: 'balanced', models });
  const { plan, overBudget } = explainMap(map, tensors, options);
  if (plan === null) return { status: 'unknown', why: 'auto leaves a block without a device.' };
  return { status: 'priced', plan, overBudget };
}
