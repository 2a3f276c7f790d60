import { resolve } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { pictureName, type InputPicture } from '../inputs/input-picture.js';
import type { ShardOutput } from './shard-output.js';
import { firstDifference } from './first-difference.js';
import { InputList } from './input-list.js';
import {
  beginRunFile,
  readRunFile,
  refuseOtherInputs,
  refuseOtherSettings,
  runKey,
  writeRunFile,
  type RunFile,
  type RunSettings,
} from './run-file.js';
import type { RunFolder } from './run-folder.js';
import type { Slice } from './run-lock.js';

export interface RunOptions {
  readonly settings: RunSettings;
  readonly shardSize: number;
  /** Whether a run may go on with other pictures than before: what was done is then seen in the files that it made. */
  readonly takesOtherInputs: boolean;
  /** The shards that this run is to caption, and nobody else meanwhile: they are the folder's to release. */
  readonly slice?: Slice;
  /** Ends the listing of the inputs. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Splits the inputs into shards, and makes sure that the folder holds this run or none.
 * @throws Blip2Error `RUN_DIFFERS`, `RUN_INVALID`, `RUN_BUSY`, `OUTPUT_EXISTS`, `OUTPUT_IMPOSSIBLE`, `INPUT_INVALID`, `INPUT_EMPTY`;
 *   the signal's reason when aborted
 */
export async function openRun(
  folder: RunFolder,
  output: ShardOutput,
  inputs: AsyncIterable<InputPicture>,
  { settings, shardSize, takesOtherInputs, slice, signal }: RunOptions,
): Promise<InputList> {
  // Inputs that are none, or cannot be read, leave no folder behind.
  const pictures = inputs[Symbol.asyncIterator]();
  const first = await pictures.next();
  if (first.done === true) throw new Blip2Error('INPUT_EMPTY', 'the inputs hold no picture');
  const known = await prepareFolder(folder, output, settings, slice).catch(async (error: unknown) => {
    await pictures.return?.();
    throw error;
  });
  const list = await InputList.write(
    folder.inputList,
    placed(joined(first.value, pictures), output, signal),
    shardSize,
    // Whoever else begins a run here at the same time has its list of pictures after its settings, too.
    async (other, path) => {
      if (known === null) return beginRunFile(folder, runOf(other, settings));
      if (known.inputs === other.hash) return;
      if (!takesOtherInputs)
        refuseOtherInputs(folder, known, other.pictures, await firstDifference(folder.inputList, path));
      await folder.refuseOthersAtWork();
      await folder.forget();
    },
  );
  await folder.publishInputList();
  if (known !== null && known.inputs !== list.hash) await writeRunFile(folder, runOf(list, settings));
  folder.nameBy(runKey({ settings, list }));
  return list;
}

function runOf({ pictures, shards, hash }: InputList, settings: RunSettings): RunFile {
  return { version: 1, pictures, shards, inputs: hash, settings };
}

/** @returns the run that the folder holds, which is this one; null for none */
async function prepareFolder(
  folder: RunFolder,
  output: ShardOutput,
  settings: RunSettings,
  slice: Slice | undefined,
): Promise<RunFile | null> {
  await folder.prepare();
  if (slice !== undefined) await folder.hold(slice);
  const known = await readRunFile(folder);
  if (known !== null) refuseOtherSettings(folder, known.settings, settings);
  else await refuseOtherFiles(folder, output);
  return known;
}

async function* joined<T>(first: T, others: AsyncIterator<T>): AsyncGenerator<T, void> {
  yield first;
  yield* { [Symbol.asyncIterator]: () => others };
}

async function refuseOtherFiles(folder: RunFolder, output: ShardOutput): Promise<void> {
  const [file] = await folder.unknownOutputs();
  if (file !== undefined) {
    throw new Blip2Error('OUTPUT_EXISTS', `${folder.name} has a ${file}, and nothing says which run it is of`, {
      hint: 'Give an empty folder with --out, or move the files away.',
    });
  }
  await output.checkFolder?.();
}

/** The pictures, each with a place for its caption that no other one has. */
async function* placed(
  inputs: AsyncIterable<InputPicture>,
  output: ShardOutput,
  signal: AbortSignal | undefined,
): AsyncGenerator<InputPicture, void> {
  const targets = new Set<string>();
  for await (const picture of inputs) {
    signal?.throwIfAborted();
    const target = output.target?.(picture);
    if (target !== undefined) {
      // One picture may be named by its path from here and from the root.
      const place = resolve(target);
      if (targets.has(place)) {
        const message = `${target} would be written for ${pictureName(picture)} and for a picture before it`;
        throw new Blip2Error('OUTPUT_IMPOSSIBLE', message, { hint: 'Choose another --format, or rename one of them.' });
      }
      targets.add(place);
    }
    yield picture;
  }
}
