/** BLIP-2 on devices with memory of their own: what is placed there stays there or streams through, block by block. */
import type { Tensor } from 'onnxruntime-node';
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { BlockKind } from '../../../model/blocks.js';
import { MOST_TOGETHER } from '../../../planner/profile/workload/encoding.js';
import type { Workload } from '../../../planner/profile/workload/workload.js';
import type { BatchSize, CaptionModel } from '../model/caption-model.js';
import type { TokenSource } from '../../generation/token-source.js';
import {
  GPU_LAYERS,
  GPU_LAYERS_APART,
  gpuCacheWires,
  gpuImageSteps,
  gpuPromptSteps,
  gpuTokenSteps,
} from '../../graph/gpu/gpu-programs.js';
import type { Step } from '../../graph/program.js';
import type { OwnOperators, StageSources } from '../../graph/stage-builder.js';
import type { GpuFloat } from '../../graph/gpu/gpu-style.js';
import type { ModelPixels } from '../../image/pixel-rules.js';
import { Weights } from '../../graph/weights.js';
import type { RollingSource } from '../../generation/rolling-source.js';
import type { DecodingRoom, LanguagePrompt } from '../model/language-prompt.js';
import type { WordBatch } from '../model/word-wires.js';
import type { DeviceMemory } from '../../device/memory/device-memory.js';
import { batchBytes } from './batch-bytes.js';
import { RunThread } from '../../device/thread/run-thread.js';
import { GpuImageEncoder } from './gpu-image-encoder.js';
import { gpuUnits, type Unit } from './units/gpu-units.js';
import type { GpuProgram } from './program/gpu-program.js';
import { LentRoom } from './program/lent-room.js';
import { HostStaging } from './program/host-staging.js';
import { openLanguageModel, type LanguageModel } from './language/language-model.js';
import { LanguageTables } from './language/language-tables.js';
import type { PlaceOf } from './device/engine-device.js';
import { startPrograms, type EngineSources } from './program/started-programs.js';

/** What a plan says of the pictures that run together. */
export type PlannedWork = Pick<Workload, 'batch' | 'beams' | 'encoded'>;

interface PlannedUnits {
  readonly weights: Weights;
  readonly units: ReturnType<typeof planUnits>;
  /** What holds the sessions of the image program, where it has devices of its own. */
  readonly thread: RunThread | undefined;
  readonly planned: PlannedWork | undefined;
}

export class GpuModel implements CaptionModel {
  readonly #image: GpuImageEncoder;
  readonly #language: LanguageModel;
  readonly #config: Blip2Config;
  readonly #memories: readonly DeviceMemory[];
  readonly #owned: readonly Disposable[];
  readonly encodesAlone: boolean;

  private constructor(
    config: Blip2Config,
    programs: { readonly image: GpuImageEncoder; readonly language: LanguageModel },
    {
      owned,
      memories,
      encodesAlone,
    }: {
      readonly owned: readonly Disposable[];
      readonly memories: readonly DeviceMemory[];
      readonly encodesAlone: boolean;
    },
  ) {
    this.#config = config;
    this.#image = programs.image;
    this.#language = programs.language;
    this.#memories = memories;
    this.encodesAlone = encodesAlone;
    this.#owned = [...owned, ...memories];
  }

  /**
   * @param planned the work of the plan, where there is one
   * @throws Blip2Error `OUT_OF_MEMORY`, `TENSOR_NOT_FOUND`, `TENSOR_SHAPE`, `ORT_FAILED`
   */
  static async open(sources: EngineSources<Blip2Config>, planned?: PlannedWork): Promise<GpuModel> {
    const isOfRows = planned === undefined || planned.batch * planned.beams > 1;
    const { config, tensors, placeOf } = sources;
    const weights = new Weights(config, tensors);
    const units = planUnits(
      sources,
      weights,
      { attention: true, products: isOfRows, activations: isOfRows, mixed: true, tuned: isTuned(planned) },
      planned?.encoded === undefined ? GPU_LAYERS : GPU_LAYERS_APART,
    );
    // A picture alone has nothing to be encoded beside.
    const isBeside = isOfRows && hasDeviceOfItsOwn(units.image, [...units.prompt, ...units.token], placeOf);
    const thread = isBeside ? new RunThread() : undefined;
    try {
      return await GpuModel.#start(sources, { weights, units, thread, planned });
    } catch (error) {
      await thread?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async #start(
    { config, files, picture, placeOf }: EngineSources<Blip2Config>,
    { weights, units, thread, planned }: PlannedUnits,
  ): Promise<GpuModel> {
    const encoded = planned?.encoded;
    const tables = new LanguageTables(config.text, weights);
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
      const lent = encoded !== undefined && image.streams && !keepsShapes(token) ? new LentRoom() : null;
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
        tables: tables.read(files),
        prompt,
        token,
        pictureTokens: config.numQueryTokens,
        offersTo: lent,
      });
      owned.unshift(language);
      return new GpuModel(config, { image: encoder, language }, { owned, memories, encodesAlone: lent !== null });
    } catch (error) {
      for (const each of owned) each[Symbol.dispose]();
      throw error;
    }
  }

  /** All of it on the device that has least. */
  hasRoomFor(size: BatchSize): boolean {
    const bytes = batchBytes(this.#config, this.pixelFloat, size);
    return this.#memories.every((memory) => (memory.room()?.freeBytes ?? Infinity) >= bytes);
  }

  get streamsText(): boolean {
    return this.#language.streams;
  }

  get encodingsBeside(): number {
    return this.#image.atOnceBeside;
  }

  get pixelFloat(): GpuFloat {
    return this.#image.pixelFloat;
  }

  encodeImages(pixels: ModelPixels, shape: readonly number[], words?: WordBatch): Promise<Tensor> {
    return this.#image.encode(pixels, shape, words);
  }

  tokens(prompt: LanguagePrompt): TokenSource {
    return this.#language.tokens(prompt);
  }

  reserve(room: DecodingRoom): void {
    this.#language.reserve?.(room);
  }

  rolling(room: DecodingRoom): RollingSource<LanguagePrompt> | null {
    return this.#language.rolling?.(room) ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#image.close();
    for (const each of this.#owned) each[Symbol.dispose]();
  }
}

/** Pictures of a micro-batch from which the host has time to ask for products of our own: some 25 us each, of which a layer has four. */
const LEAST_TUNED_PICTURES = 32;

const isTuned = (planned: PlannedWork | undefined): boolean =>
  planned === undefined || (planned.encoded ?? planned.batch) >= LEAST_TUNED_PICTURES;

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

const keepsShapes = ({ units }: GpuProgram): boolean => units.some(({ device }) => device.keepsShapes === true);

const memoriesOf = (units: readonly Unit[]) => [...new Set(units.map(({ device }) => device.memory))];

/**
 * @param own operators that a token's program may have
 * @param layers kinds of blocks that are units of their own where some pass through a device
 */
function planUnits(
  { config, picture, placeOf }: EngineSources<Blip2Config>,
  weights: Weights,
  own: OwnOperators,
  layers: ReadonlySet<BlockKind>,
) {
  const sources = { config, weights, folder: '/', picture };
  const units = (
    steps: readonly Step[],
    outputs: readonly string[],
    operators: Pick<StageSources, 'own' | 'joinsRows'> = {},
    isRecorded = false,
  ) => gpuUnits(steps, { ...sources, ...operators }, placeOf, outputs, layers, isRecorded);
  const caches = (program: 'prompt' | 'token', steps: readonly Step[]) =>
    steps.flatMap(({ block }) => gpuCacheWires(program, block));
  const [prompt, token] = [gpuPromptSteps(config), gpuTokenSteps(config)];
  const image = (operators: { readonly own?: OwnOperators }) =>
    units(gpuImageSteps(config), ['language_input'], operators);
  const ofMany = own.activations ? { own: { ...own, products: false } } : {};
  const ofStep = { own: { ...own, tuned: false }, joinsRows: true };
  return {
    image: image(ofMany),
    /** The same for few pictures: the host takes longer to ask for operators of our own than a card for one picture. */
    imageAlone: () => image({}),
    prompt: units(prompt, caches('prompt', prompt), ofMany),
    token: units(token, ['logits', 'next_ids', ...caches('token', token)], ofStep, true),
  };
}
