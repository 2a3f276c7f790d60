import { Blip2Error } from '../../errors.js';
import { pictureName, type InputPicture } from '../inputs/input-picture.js';
import type { ShardOutput } from './shard-output.js';
import { InputList } from './input-list.js';
import {
  readRunFile,
  refuseOtherInputs,
  refuseOtherSettings,
  writeRunFile,
  type RunFile,
  type RunSettings,
} from './run-file.js';
import type { RunFolder } from './run-folder.js';

export interface RunOptions {
  readonly settings: RunSettings;
  readonly shardSize: number;
  /** Whether a run may go on with other pictures than before: what was done is then seen in the files that it made. */
  readonly takesOtherInputs: boolean;
}

/**
 * Splits the inputs into shards, and makes sure that the folder holds this run or none.
 * @throws Blip2Error `RUN_DIFFERS`, `RUN_INVALID`, `OUTPUT_EXISTS`, `OUTPUT_IMPOSSIBLE`, `INPUT_INVALID`, `INPUT_EMPTY`
 */
export async function openRun(
  folder: RunFolder,
  output: ShardOutput,
  inputs: AsyncIterable<InputPicture>,
  { settings, shardSize, takesOtherInputs }: RunOptions,
): Promise<InputList> {
  // Inputs that are none, or cannot be read, leave no folder behind.
  const pictures = inputs[Symbol.asyncIterator]();
  const first = await pictures.next();
  if (first.done === true) throw new Blip2Error('INPUT_EMPTY', 'the inputs hold no picture');
  const known = await prepareFolder(folder, output, settings).catch(async (error: unknown) => {
    await pictures.return?.();
    throw error;
  });
  const list = await InputList.write(
    folder.inputList,
    placed(joined(first.value, pictures), output),
    shardSize,
    async (other) => {
      if (known === null || known.inputs === other.hash) return;
      if (!takesOtherInputs) refuseOtherInputs(folder, known, other.pictures);
      await folder.forget();
    },
  );
  await folder.publishInputList();
  if (known?.inputs !== list.hash) {
    const { shards, hash } = list;
    await writeRunFile(folder, { version: 1, pictures: list.pictures, shards, inputs: hash, settings });
  }
  return list;
}

/** @returns the run that the folder holds, which is this one; null for none */
async function prepareFolder(folder: RunFolder, output: ShardOutput, settings: RunSettings): Promise<RunFile | null> {
  await folder.prepare();
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
async function* placed(inputs: AsyncIterable<InputPicture>, output: ShardOutput): AsyncGenerator<InputPicture, void> {
  const targets = new Set<string>();
  for await (const picture of inputs) {
    const target = output.target?.(picture);
    if (target !== undefined) {
      if (targets.has(target)) {
        const message = `${target} would be written for ${pictureName(picture)} and for a picture before it`;
        throw new Blip2Error('OUTPUT_IMPOSSIBLE', message, { hint: 'Choose another --format, or rename one of them.' });
      }
      targets.add(target);
    }
    yield picture;
  }
}
