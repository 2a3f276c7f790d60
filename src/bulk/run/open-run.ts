import { Blip2Error } from '../../errors.js';
import { pictureName, type InputPicture } from '../inputs/input-picture.js';
import type { ShardOutput } from './shard-output.js';
import { InputList } from './input-list.js';
import { readRunFile, refuseOtherInputs, refuseOtherSettings, writeRunFile, type RunSettings } from './run-file.js';
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
  await folder.prepare();
  const known = await readRunFile(folder);
  if (known !== null) refuseOtherSettings(folder, known.settings, settings);
  else await refuseOtherFiles(folder, output);
  const list = await InputList.write(
    folder.inputList,
    placed(inputs, output),
    shardSize,
    async ({ hash, pictures }) => {
      if (pictures === 0) throw new Blip2Error('INPUT_EMPTY', 'the inputs hold no picture');
      if (known === null || known.inputs === hash) return;
      if (!takesOtherInputs) refuseOtherInputs(folder, known, pictures);
      await folder.forget();
    },
  );
  const { pictures, shards, hash } = list;
  await folder.publishInputList();
  if (known?.inputs !== hash) await writeRunFile(folder, { version: 1, pictures, shards, inputs: hash, settings });
  return list;
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
