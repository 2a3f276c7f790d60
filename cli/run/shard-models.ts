import { createCaptioner } from '../../src/runtime/index.js';
import type { CaptionRecord } from '../../src/bulk/caption-record.js';
import type { CaptionWorker } from '../../src/bulk/run/caption-pictures.js';
import { Tally } from '../../src/bulk/run/tally.js';
import type { WorkOptions } from '../../src/bulk/work/work-on-shards.js';
import { CaptionMetrics } from '../../src/metrics/caption-metrics.js';
import { MetricsServer, type MetricsAddress } from '../../src/metrics/metrics-server.js';
import { Metrics } from '../../src/metrics/metrics.js';
import type { EventLog } from '../common/event-log.js';
import { RateLine } from '../common/rate-line.js';
import { askModel, type AskedModel, type ModelArgs } from './asked-model.js';
import { captionWorker } from './caption-worker.js';
import { usedGpus, workerDevices, type WorkerDevices } from './worker-cards.js';

/** Pictures that are decoded at once where nobody says how many, on the CPU and on GPUs. */
const AT_ONCE = { cpu: 8, gpu: 512 };
/** Pictures that one model has in hand, for each of those: some are made ready while others are decoded. */
const AHEAD = 4;

export interface ShardModelArgs extends ModelArgs {
  readonly batch?: number | 'auto' | undefined;
  readonly workers?: number | 'auto' | undefined;
  readonly metrics?: MetricsAddress | undefined;
  readonly log: 'text' | 'json';
}

/** Opens the checkpoint for a process that is handed shards. */
export function askShardModel(args: ShardModelArgs, log: EventLog, signal: AbortSignal): Promise<AskedModel> {
  return askModel(args, {
    atOnce: args.batch ?? 'auto',
    pictures: Infinity,
    signal,
    say: (text) => log.write('info', 'note', text),
    rate: new RateLine(args.quiet !== true && args.log === 'text'),
  });
}

export interface ShardModelsOptions {
  readonly model: AskedModel;
  readonly args: Pick<ShardModelArgs, 'batch' | 'workers' | 'metrics'>;
  readonly log: EventLog;
  readonly signal: AbortSignal;
  /** Why a supervisor should start this process again. */
  readonly trouble: () => string | null;
}

/** The models of a process that is handed shards, and what it tells of them. */
export class ShardModels implements AsyncDisposable {
  readonly metrics = new Metrics();
  readonly tally = new Tally();
  readonly #options: ShardModelsOptions;
  readonly #counted = new CaptionMetrics(this.metrics);
  readonly #devices: readonly WorkerDevices[];
  readonly #each: number;
  #server: MetricsServer | undefined;
  #ready = 0;

  private constructor(options: ShardModelsOptions, devices: readonly WorkerDevices[], each: number) {
    this.#options = options;
    this.#devices = devices;
    this.#each = each;
  }

  static async open(options: ShardModelsOptions): Promise<ShardModels> {
    const { model, args, trouble } = options;
    const { batch = 'auto', workers = 1, metrics } = args;
    const { placed, provider, devices } = model;
    const emulateGpu = devices.emulateGpu === true;
    const each = await workerDevices({ workers, placed, provider, emulateGpu, threads: devices.threads });
    const atOnce = batch !== 'auto' ? batch : (await usedGpus({ placed, provider })) > 0 ? AT_ONCE.gpu : AT_ONCE.cpu;
    const models = new ShardModels(options, each, AHEAD * atOnce);
    if (metrics !== undefined) {
      const health = { trouble, isReady: () => models.#ready > 0 };
      models.#server = await MetricsServer.listen(models.metrics, health, metrics);
      options.log.write('info', 'metrics', `metrics on http://${metrics.host}:${models.#server.port}/metrics`, {
        port: models.#server.port,
      });
    }
    return models;
  }

  /** What `workOnShards` has to know of them; they end at the signal that they were opened with. */
  get staff(): Pick<WorkOptions, 'workers' | 'ahead' | 'openWorker' | 'fetching' | 'onRecord' | 'signal'> {
    const workers = this.#devices.length;
    return {
      workers,
      // Pictures that all together have in hand before another shard is taken.
      ahead: this.#each * workers,
      openWorker: (worker) => this.#start(worker),
      fetching: this.#options.model.fetching,
      onRecord: (record) => this.#record(record),
      signal: this.#options.signal,
    };
  }

  async #start(worker: number): Promise<CaptionWorker> {
    const { model, args, log, signal } = this.#options;
    const startedMs = performance.now();
    const options = { ...model.placed, ...model.devices, ...this.#devices[worker], signal };
    const captioner = await createCaptioner(model.checkpoint, options);
    this.#ready += 1;
    const seconds = (performance.now() - startedMs) / 1000;
    log.write('info', 'model-ready', `model ${worker} is ready after ${seconds.toFixed(1)} s`, { worker, seconds });
    const made = captionWorker(
      captioner,
      { ...model.ask, ...model.generation, batchSize: args.batch ?? 'auto' },
      (timing) => this.#counted.captioned(timing),
    );
    return {
      caption: made.caption,
      [Symbol.asyncDispose]: async () => {
        this.#ready -= 1;
        await made[Symbol.asyncDispose]();
      },
    };
  }

  #record(record: CaptionRecord): void {
    this.tally.add(record);
    this.#counted.record(record.error !== '' ? 'failed' : record.skipped === true ? 'skipped' : 'captioned');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }
}
