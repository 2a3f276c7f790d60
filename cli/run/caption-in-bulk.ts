import { runBulk, type BulkResult } from '../../src/bulk/run/bulk-run.js';
import type { CaptionWorker, HandedPicture, Outcome } from '../../src/bulk/run/caption-pictures.js';
import { RunFolder } from '../../src/bulk/run/run-folder.js';
import type { Tally } from '../../src/bulk/run/tally.js';
import { listInputs } from '../../src/bulk/inputs/list-inputs.js';
import type { InputPicture } from '../../src/bulk/inputs/input-picture.js';
import type { ShardOutput } from '../../src/bulk/outputs/shard-output.js';
import { Blip2Error } from '../../src/errors.js';
import { createCaptioner, type Captioner } from '../../src/runtime/captioner.js';
import type { CaptionAllOptions, CaptionerOptions, Picture } from '../../src/runtime/captioner-options.js';
import type { Provider } from '../../src/runtime/provider/provider.js';
import { EXIT, usageError } from '../common/main.js';
import { ProgressLine } from '../common/progress.js';
import { writeOut } from '../common/write-out.js';
import type { BulkRequest } from './bulk-flags.js';
import { bulkSummary, duration } from './bulk-summary.js';
import { runSettings, type AskedRun } from './run-settings.js';
import { workerDevices } from './worker-cards.js';

export interface BulkContext extends AskedRun {
  readonly images: readonly string[];
  /** The paths that an argument stands for. */
  readonly expand: (argument: string) => Promise<readonly string[]>;
  readonly devices: Omit<CaptionerOptions, 'plan' | 'budgets' | 'planning'>;
  readonly provider: Provider;
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
  if (generation.doSample === true && generation.seed === undefined) {
    throw usageError('--sample with --out needs --seed', 'A run that goes on draws as it did before it was stopped.');
  }
  const folder = new RunFolder(request.out, request.format === 'jsonl');
  const devices = await workerDevices({
    workers: request.workers,
    placed: context.placed,
    provider: context.provider,
    emulateGpu: context.devices.emulateGpu === true,
    threads: context.devices.threads,
  });
  const listed: ListedPictures = { pictureNames: new Set() };
  const line = new ProgressLine(context.progress);
  const started = performance.now();
  /** When the first caption came, and how many there were by then: what starting takes is no part of the rate. */
  let first: { readonly atMs: number; readonly done: number } | undefined;
  const result = await runBulk({
    ...request,
    folder,
    output: await createOutput(folder, request, listed),
    inputs: noted(listInputs(context.images, { ...request, expand: context.expand }), listed),
    settings: await runSettings(context),
    takesOtherInputs: request.format === 'txt',
    workers: devices.length,
    openWorker: async (worker) => {
      const options = { ...context.placed, ...context.devices, ...devices[worker], signal };
      const captioner = await createCaptioner(context.checkpoint, options);
      context.onStarted();
      return captionWorker(captioner, { ...ask, ...generation, batchSize: context.batch });
    },
    signal,
    onProgress: (tally, pictures) => {
      first ??= { atMs: performance.now(), done: tally.done };
      line.update(progressText(tally, pictures, tally.done - first.done, (performance.now() - first.atMs) / 1000));
    },
  }).finally(() => line.clear());
  return report(result, context, (performance.now() - started) / 1000);
}

async function report(result: BulkResult, { request, asJson, quiet }: BulkContext, seconds: number): Promise<number> {
  const summary = bulkSummary(result, request, seconds);
  if (asJson) await writeOut(`${JSON.stringify(summary.json)}\n`);
  else if (!quiet) process.stderr.write(summary.text);
  return result.tally.failed === 0 ? EXIT.ok : EXIT.someInputsFailed;
}

function progressText(tally: Tally, pictures: number, made: number, seconds: number): string {
  const rate = made / Math.max(seconds, 0.001);
  const left = made === 0 ? '' : `, ${duration((pictures - tally.done) / rate)} left`;
  return `${tally.done}/${pictures} pictures, ${rate.toFixed(2)} a second, ${tally.failed} failed${left}`;
}

/** What the names of the inputs say: the extensions of those that are files or members of archives. */
interface ListedPictures {
  readonly pictureNames: Set<string>;
}

async function* noted(
  pictures: AsyncIterable<InputPicture>,
  { pictureNames }: ListedPictures,
): AsyncGenerator<InputPicture, void> {
  for await (const picture of pictures) {
    const name = 'parquet' in picture ? '' : picture.name;
    pictureNames.add(/\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase().replace('jpeg', 'jpg') ?? '');
    yield picture;
  }
}

async function createOutput(folder: RunFolder, request: BulkRequest, listed: ListedPictures): Promise<ShardOutput> {
  switch (request.format) {
    case 'jsonl':
      return new (await import('../../src/bulk/outputs/jsonl-output.js')).JsonlOutput();
    case 'txt':
      return new (await import('../../src/bulk/outputs/sidecar-output.js')).SidecarOutput(folder, request);
    case 'metadata': {
      const { MetadataOutput } = await import('../../src/bulk/outputs/metadata-output.js');
      return new MetadataOutput(folder, request.existing === 'overwrite');
    }
    case 'webdataset': {
      const { WebdatasetOutput } = await import('../../src/bulk/outputs/webdataset-output.js');
      // Known once all inputs are listed, and that is before the first shard is written.
      const field = () => ([...listed.pictureNames].length === 1 ? [...listed.pictureNames][0] : '') || 'jpg';
      return new WebdatasetOutput(folder, field, request.imageRoot);
    }
    case 'parquet':
      return new (await import('../../src/bulk/outputs/parquet-output.js')).ParquetOutput(folder, request.imageRoot);
  }
}

function captionWorker(captioner: Captioner, options: CaptionAllOptions): CaptionWorker {
  return {
    async *caption(pictures, signal): AsyncGenerator<Outcome, void> {
      for await (const outcome of captioner.captionAll(asPictures(pictures), { ...options, signal })) {
        if (outcome.status === 'failed') {
          const { error } = outcome;
          if (!(error instanceof Blip2Error && error.code.startsWith('IMAGE_'))) throw error;
          yield { status: 'failed', error };
          continue;
        }
        const [first, ...others] = outcome.caption.answers;
        if (first === undefined) throw new Error('a caption without an answer');
        yield { status: 'captioned', answers: [first, ...others] };
      }
    },
    [Symbol.asyncDispose]: () => captioner[Symbol.asyncDispose](),
  };
}

async function* asPictures(pictures: AsyncIterable<HandedPicture>): AsyncGenerator<Picture, void> {
  for await (const { source, randomStream } of pictures) yield { image: source, randomStream };
}
