import { createCaptioner } from '../../src/runtime/index.js';
import { runBulk, type BulkResult } from '../../src/bulk/run/bulk-run.js';
import type { Tally } from '../../src/bulk/run/tally.js';
import { listInputs } from '../../src/bulk/inputs/list-inputs.js';
import { duration } from '../common/duration.js';
import { EXIT } from '../common/main.js';
import { ProgressLine } from '../common/progress.js';
import { writeOut } from '../common/write-out.js';
import type { BulkRequest } from './bulk-flags.js';
import { bulkSummary } from './bulk-summary.js';
import { captionWorker } from './caption-worker.js';
import type { AskedModel } from './asked-model.js';
import { openRunFolder } from './run-folder.js';
import { PictureNames, runOutput } from './run-output.js';
import { refuseSampleWithoutSeed, runSettings } from './run-settings.js';
import { workerDevices } from './worker-cards.js';

export interface BulkContext extends AskedModel {
  readonly request: BulkRequest;
  readonly images: readonly string[];
  /** The paths that an argument stands for. */
  readonly expand: (argument: string) => Promise<readonly string[]>;
  readonly batch: number | 'auto';
  readonly signal: AbortSignal;
  readonly asJson: boolean;
  readonly quiet: boolean;
  readonly progress: boolean;
  readonly onStarted: () => void;
}

/**
 * Captions inputs into a folder. The summary goes to stderr, or as JSON to stdout.
 * @returns the exit code
 */
export async function captionInBulk(context: BulkContext): Promise<number> {
  const { request, signal, ask, generation } = context;
  refuseSampleWithoutSeed(generation);
  await using folder = await openRunFolder(request.out, request.format);
  const devices = await workerDevices({
    workers: request.workers,
    placed: context.placed,
    provider: context.provider,
    emulateGpu: context.devices.emulateGpu === true,
    threads: context.devices.threads,
  });
  const names = new PictureNames();
  const line = new ProgressLine(context.progress);
  const started = performance.now();
  /** When the first caption came, and how many there were by then: what starting takes is no part of the rate. */
  let first: { readonly atMs: number; readonly done: number } | undefined;
  let reached: { readonly done: number; readonly pictures: number } | undefined;
  const result = await runBulk({
    ...request,
    folder,
    output: await runOutput(folder, request, names, context.fetching),
    inputs: names.noting(listInputs(context.images, { ...request, expand: context.expand })),
    settings: await runSettings(context),
    takesOtherInputs: request.format === 'txt',
    workers: devices.length,
    fetching: context.fetching,
    openWorker: async (worker) => {
      const options = { ...context.placed, ...context.devices, ...devices[worker], signal };
      const captioner = await createCaptioner(context.checkpoint, options);
      context.onStarted();
      return captionWorker(captioner, { ...ask, ...generation, batchSize: context.batch });
    },
    signal,
    onProgress: (tally, pictures) => {
      first ??= { atMs: performance.now(), done: tally.done };
      reached = { done: tally.done, pictures };
      line.update(progressText(tally, pictures, tally.done - first.done, (performance.now() - first.atMs) / 1000));
    },
  })
    .finally(() => line.clear())
    .catch((error: unknown) => {
      if (signal.aborted && !context.quiet) process.stderr.write(stoppedText(reached, request.out));
      throw error;
    });
  return report(result, context, (performance.now() - started) / 1000);
}

async function report(result: BulkResult, { request, asJson, quiet }: BulkContext, seconds: number): Promise<number> {
  const summary = bulkSummary(result, request, seconds);
  if (asJson) await writeOut(`${JSON.stringify(summary.json)}\n`);
  else if (!quiet) process.stderr.write(summary.text);
  return result.tally.failed === 0 ? EXIT.ok : EXIT.someInputsFailed;
}

/** What whoever stopped a run wants to know. */
function stoppedText(reached: { readonly done: number; readonly pictures: number } | undefined, out: string): string {
  const where =
    reached === undefined ? 'before the first caption' : `after ${reached.done} of ${reached.pictures} pictures`;
  return `stopped ${where}: the same command goes on from what is in ${out}\n`;
}

function progressText(tally: Tally, pictures: number, made: number, seconds: number): string {
  const rate = made / Math.max(seconds, 0.001);
  const left = made === 0 ? '' : `, ${duration((pictures - tally.done) / rate)} left`;
  return `${tally.done}/${pictures} pictures, ${rate.toFixed(2)} a second, ${tally.failed} failed${left}`;
}
