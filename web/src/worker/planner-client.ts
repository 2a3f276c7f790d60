/**
 * A worker that answers the latest question. One that is overtaken may end within its patience; then the worker is given up
 * for a new one, because nothing else stops a search.
 */
import type { OpenModel } from '../model/open-model.js';
import type { CarriedOptions } from '../settings/plan-options.js';
import type { Settings } from '../settings/settings.js';
import type { Fault, Order, Reply, Wanted } from './messages.js';
import { startPlanWorker } from './start-plan-worker.js';

export interface Ask {
  readonly model: OpenModel;
  readonly table: string | null;
  readonly highs: { readonly script: string; readonly wasmBinary: ArrayBuffer } | null;
  readonly settings: Settings;
  readonly carried?: CarriedOptions;
  readonly wanted: Wanted;
  readonly onReply: (reply: Reply) => void;
}

/** Most plans take less; a new worker takes about as long to start. */
const PATIENCE_MS = 150;

export class PlannerClient {
  #worker: Worker;
  /** What the worker was told. */
  #model: OpenModel | null = null;
  #hasHighs = false;
  #running: { readonly id: number; readonly ask: Ask; readonly since: number } | null = null;
  #next: Ask | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasPlan = false;
  #ids = 0;

  constructor() {
    this.#worker = this.#start();
  }

  ask(ask: Ask): void {
    // After the plan comes the comparison with `auto`, which a newer question ends.
    if (this.#running === null || this.#hasPlan) {
      this.#send(ask);
      return;
    }
    this.#next = ask;
    this.#timer ??= setTimeout(() => this.#restart(), this.#running.since + PATIENCE_MS - performance.now());
  }

  /** Whatever runs is of no interest any more. */
  cancel(): void {
    this.#next = null;
    if (this.#running !== null) this.#restart();
  }

  #send(ask: Ask): void {
    const { model, table, highs, settings, carried, wanted } = ask;
    this.#ids += 1;
    if (this.#model !== model) this.#post({ kind: 'model', model, table });
    this.#model = model;
    if (highs !== null && !this.#hasHighs) this.#post({ kind: 'highs', ...highs });
    this.#hasHighs ||= highs !== null;
    this.#post({ ...wanted, id: this.#ids, settings, ...(carried === undefined ? {} : { carried }) });
    this.#hasPlan = false;
    this.#running = { id: this.#ids, ask, since: performance.now() };
  }

  #post(order: Order): void {
    this.#worker.postMessage(order);
  }

  #start(): Worker {
    const worker = startPlanWorker();
    worker.addEventListener('message', (event: MessageEvent<Reply>) => {
      const running = this.#running;
      if (running === null || event.data.id !== running.id || worker !== this.#worker) return;
      this.#hasPlan ||= event.data.kind === 'plan';
      if (event.data.kind === 'done' || (this.#hasPlan && this.#next !== null)) this.#settle();
      running.ask.onReply(event.data);
    });
    worker.addEventListener('error', (event) => {
      const running = this.#running;
      if (running === null || worker !== this.#worker) return;
      const fault: Fault = { code: 'UNEXPECTED', message: event.message || 'the worker ended', hint: null };
      this.#restart();
      running.ask.onReply({ kind: 'failed', id: running.id, fault });
    });
    return worker;
  }

  #restart(): void {
    this.#worker.terminate();
    this.#worker = this.#start();
    this.#model = null;
    this.#hasHighs = false;
    this.#settle();
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running = null;
    const next = this.#next;
    this.#next = null;
    this.#hasPlan = false;
    if (next !== null) this.#send(next);
  }
}
