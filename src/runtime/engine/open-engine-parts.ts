/** What captions are made with, opened: rules of pictures, words, and the model. */
import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import { ofUnchanged } from '../../loader/checkpoint/unchanged-files.js';
import { parseBlip2Config, type Blip2Config } from '../../model/blip2-config.js';
import { checkLayerCounts } from '../../model/layer-counts.js';
import { checkTensorNames } from '../../model/tensor-names.js';
import type { DeviceOptions } from '../device/device-options.js';
import { endPixelThread, PixelPool, startPixelThread, type PixelThread } from '../image/pixel-pool.js';
import { pixelRules } from '../image/pixel-rules.js';
import { PlannedRoom } from '../placement/planned-room.js';
import { lockAhead } from '../session/gpu/weights/lock-ahead.js';
import type { CaptionModel } from '../session/model/caption-model.js';
import { openCaptionModel } from '../session/open-caption-model.js';
import { Asking } from './asking.js';
import { readCheckpointFiles, type Tokenizers } from './checkpoint-files.js';

export interface EngineParts {
  readonly config: Blip2Config;
  readonly tokenizers: Tokenizers;
  readonly asking: Asking;
  readonly pixels: PixelPool;
  readonly model: CaptionModel;
  readonly room: PlannedRoom | null;
}

/** What goes on while files are read. */
interface Begun {
  readonly thread: PixelThread;
  readonly locking: ReturnType<typeof lockAhead>;
}

/** @throws what reading the checkpoint's files and opening the model throw; nothing stays open then */
export async function openEngineParts(checkpoint: Checkpoint, options: DeviceOptions): Promise<EngineParts> {
  const thread = startPixelThread();
  try {
    const config = parseBlip2Config(checkpoint.config);
    checkTensorNames(checkpoint.tensors);
    checkLayerCounts(checkpoint.tensors, config);
    const locking = lockAhead(config, checkpoint, options);
    try {
      return await openLocked(config, checkpoint, options, { thread, locking });
    } catch (error) {
      // Before a model is open nobody else does it for all that may fail.
      await (await locking)?.drop();
      throw error;
    }
  } catch (error) {
    await endPixelThread(thread);
    throw error;
  }
}

async function openLocked(
  config: Blip2Config,
  checkpoint: Checkpoint,
  options: DeviceOptions,
  { thread, locking }: Begun,
): Promise<EngineParts> {
  const { preprocessor, tokenizers } = await readCheckpointFiles(checkpoint.folder, config);
  const pixels = pixelRules(preprocessor, config.vision, options);
  const room = PlannedRoom.of(checkpoint, config.vision, options);
  await room?.checkPictures(pixels.size);
  const ahead = await locking;
  const meanwhile = () => void tokenizers();
  const model = await ofUnchanged(checkpoint.files, () =>
    openCaptionModel(config, checkpoint, options, { meanwhile, ahead }),
  );
  return {
    config,
    tokenizers: tokenizers(),
    asking: new Asking(config, tokenizers()),
    pixels: new PixelPool({ ...pixels, float: model.pixelFloat ?? 'F32' }, undefined, thread),
    model,
    room,
  };
}
