/** BLIP-2 on devices with memory of their own: what is placed there stays there or streams through, block by block. */
import type { Blip2Config } from '../../../model/blip2-config.js';
import { MOST_TOGETHER } from '../../../planner/profile/workload/encoding.js';
import type { BatchSize, CaptionModel } from '../model/caption-model.js';
import type { ModelPixels } from '../../image/pixel-rules.js';
import { Weights } from '../../graph/weights.js';
import type { DecodingRoom, LanguagePrompt } from '../model/language-prompt.js';
import type { WordBatch } from '../model/word-wires.js';
import type { DeviceMemory } from '../../device/memory/device-memory.js';
import { batchBytes } from './batch-bytes.js';
import { RunThread } from '../../device/thread/run-thread.js';
import { GpuImageEncoder } from './gpu-image-encoder.js';
import { isOfRows, modelUnits, type PlannedWork } from './model-units.js';
import type { Unit } from './units/gpu-units.js';
import { LentRoom } from './program/lent-room.js';
import { HostStaging } from './program/host-staging.js';
import { openLanguageModel, type LanguageModel } from './language/language-model.js';
import { languageTables } from './language/language-tables.js';
import type { PlaceOf } from './device/engine-device.js';
import { startPrograms, type EngineSources } from './program/started-programs.js';

interface PlannedUnits {
  readonly weights: Weights;
  readonly units: ReturnType<typeof modelUnits>;
  /** What holds the sessions of the image program, where it has devices of its own. */
  readonly thread: RunThread | undefined;
  readonly planned: PlannedWork | undefined;
}

/**
 * @param planned the work of the plan, where there is one
 * @throws Blip2Error `OUT_OF_MEMORY`, `TENSOR_NOT_FOUND`, `TENSOR_SHAPE`, `ORT_FAILED`
 */
export async function openGpuModel(sources: EngineSources<Blip2Config>, planned?: PlannedWork) {
  const { config, tensors, placeOf } = sources;
  const weights = new Weights(config, tensors);
  const units = modelUnits(sources, weights, planned);
  // A picture alone has nothing to be encoded beside.
  const isBeside = isOfRows(planned) && hasDeviceOfItsOwn(units.image, [...units.prompt, ...units.token], placeOf);
  const thread = isBeside ? new RunThread() : undefined;
  try {
    return await startModel(sources, { weights, units, thread, planned });
  } catch (error) {
    await thread?.[Symbol.asyncDispose]();
    throw error;
  }
}

export type GpuModel = Awaited<ReturnType<typeof openGpuModel>>;

async function startModel(
  { config, files, picture, placeOf }: EngineSources<Blip2Config>,
  { weights, units, thread, planned }: PlannedUnits,
) {
  const encoded = planned?.encoded;
  const tables = languageTables(config.text, weights);
  const { imageAlone, ...programUnits } = units;
  // No card has run a Q-Former with text so.
  const recordsPictures = config.qformer.text === null;
  const comesAgain = recordsPictures ? (['image', 'prompt'] as const) : (['prompt'] as const);
  const started = await startPrograms(
    programUnits,
    { weights, files, placeOf },
    {
      recorded: ['token', ...comesAgain.filter((name) => mayComeAgain(units[name], placeOf))],
      rounded: ['image', 'prompt', 'token'],
      threads: { image: thread },
    },
  );
  const { programs, shared, memories } = started;
  const owned = [...started.owned];
  try {
    const { image, prompt, token } = programs;
    if (image === null || token === null) throw new Error('a model without blocks');
    // A plan for many pictures has room for pixels and rows of two batches: see `keptActivationBytes`.
    const atOnce = planned === undefined || encoded !== undefined ? 2 : 1;
    // What one of the two waits for is not the other's.
    const [own, others] = [image, token].map((program) => new HostStaging(memoriesOf(program.units)));
    if (own === undefined || others === undefined) throw new Error('a program without staging');
    const lent = encoded !== undefined && image.streams && !token.keepsShapes ? new LentRoom() : null;
    const encoder = new GpuImageEncoder({
      ...shared,
      staging: own,
      program: image,
      lent,
      config,
      picture,
      encoded: encoded ?? MOST_TOGETHER,
      aside:
        thread === undefined
          ? null
          : {
              thread,
              atOnce,
              openAlone: () => started.openAnother(imageAlone(), { records: recordsPictures, roundsFactors: true }),
            },
    });
    if (lent !== null) lent.onWithdraw = () => encoder[Symbol.dispose]();
    owned.unshift(encoder);
    const language = openLanguageModel({
      ...shared,
      staging: others,
      text: config.text,
      tables: tables(files),
      prompt,
      token,
      pictureTokens: config.numQueryTokens,
      offersTo: lent,
    });
    owned.unshift(language);
    return modelOf(config, { image: encoder, language }, { owned, memories, encodesAlone: lent !== null });
  } catch (error) {
    for (const each of owned) each[Symbol.dispose]();
    throw error;
  }
}

interface Held {
  /** In the order in which they are let go. */
  readonly owned: readonly Disposable[];
  readonly memories: readonly DeviceMemory[];
  readonly encodesAlone: boolean;
}

function modelOf(
  config: Blip2Config,
  { image, language }: { readonly image: GpuImageEncoder; readonly language: LanguageModel },
  { owned, memories, encodesAlone }: Held,
) {
  const { pixelFloat } = image;
  return {
    encodesAlone,
    pixelFloat,
    streamsText: language.streams,
    encodingsBeside: image.atOnceBeside,
    /** All of it on the device that has least. */
    hasRoomFor(size: BatchSize): boolean {
      const bytes = batchBytes(config, pixelFloat, size);
      return memories.every((memory) => (memory.room()?.freeBytes ?? Infinity) >= bytes);
    },
    encodeImages: (pixels: ModelPixels, shape: readonly number[], words?: WordBatch) =>
      image.encode(pixels, shape, words),
    tokens: (prompt: LanguagePrompt) => language.tokens(prompt),
    reserve: (room: DecodingRoom) => language.reserve?.(room),
    rolling: (room: DecodingRoom) => language.rolling?.(room) ?? null,
    async [Symbol.asyncDispose](): Promise<void> {
      await image.close();
      for (const each of [...owned, ...memories]) each[Symbol.dispose]();
    },
  } satisfies CaptionModel;
}

/**
 * Whether units run beside others: where all of them stays on one device that takes work beside its own, and the others have not. A thread
 * stays on that device: see `DeviceMemory.enter`.
 */
const hasDeviceOfItsOwn = (units: readonly Unit[], others: readonly Unit[], placeOf: PlaceOf): boolean =>
  new Set(units.map(({ device }) => device)).size === 1 &&
  allStays(units, placeOf) &&
  units.every(({ device }) => device.beside !== undefined && others.every((other) => other.device !== device));

const allStays = (units: readonly Unit[], placeOf: PlaceOf): boolean =>
  units.every(({ blocks }) => blocks.every(({ name }) => placeOf(name).isResident));

/** Whether a program can be recorded when it comes again. */
const mayComeAgain = (units: readonly Unit[], placeOf: PlaceOf): boolean =>
  allStays(units, placeOf) && units.every(({ device }) => device.recordsTokensOnly !== true);

const memoriesOf = (units: readonly Unit[]) => [...new Set(units.map(({ device }) => device.memory))];
