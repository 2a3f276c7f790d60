/** BLIP-2 on one device with memory of its own: what the map puts there stays there, everything else streams through. */
import type { Tensor } from 'onnxruntime-node';
import { Blip2Error } from '../../../errors.js';
import type { StoredTensor } from '../../../loader/checkpoint/checkpoint.js';
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { Block } from '../../../model/blocks.js';
import type { DecoderOnlyConfig } from '../../../model/language-config.js';
import type { CaptionModel } from '../../session/caption-model.js';
import type { TokenSource } from '../../generation/token-source.js';
import { gpuImageSteps, gpuObstacle, gpuTokenSteps } from '../../graph/gpu/gpu-programs.js';
import { gpuStyle, type GpuFloat } from '../../graph/gpu/gpu-style.js';
import type { PictureGrid } from '../../graph/picture-grid.js';
import { tokenTableName } from '../../graph/vocabulary.js';
import { Weights } from '../../graph/weights.js';
import { presentWire } from '../../graph/wires.js';
import type { LanguagePrompt } from '../../session/language-prompt.js';
import type { WordBatch } from '../../session/word-wires.js';
import type { DeviceMemory } from '../memory/device-memory.js';
import type { OrtSessionOptions } from '../ort/ort-session.js';
import { GpuDecoder } from './gpu-decoder.js';
import { GpuImageEncoder } from './gpu-image-encoder.js';
import { HostStaging } from './host-staging.js';
import { GpuProgram, weightsOf, type UnitWeight } from './gpu-program.js';
import { gpuUnits, type Unit } from './gpu-units.js';
import { ResidentWeights } from './resident-weights.js';
import { Staging } from './staging.js';
import { TableRows } from './table-rows.js';
import { WeightFiles } from './weight-files.js';
import { sizeOf, WeightLoader } from './weight-loader.js';
import { alignedBytes } from '../memory/alignment.js';

export interface GpuModelSources {
  readonly config: Blip2Config;
  /** In the dtypes that the device computes in. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly picture: PictureGrid;
  readonly isResident: (block: string) => boolean;
  readonly memory: DeviceMemory;
  readonly float: GpuFloat;
  /** Whether the device's products are faster with weights `[in, out]`. */
  readonly transposesWeights?: boolean;
  /** @param recorded whether runs of one token are recorded and replayed */
  readonly sessionOptions: (recorded: boolean) => OrtSessionOptions;
  /** Whether the provider can record a run. */
  readonly canRecord: boolean;
}

const POSITIONS = 'language_model.model.decoder.embed_positions.weight';

export class GpuModel implements CaptionModel {
  readonly #image: GpuImageEncoder;
  readonly #decoder: GpuDecoder;
  readonly #owned: readonly Disposable[];

  private constructor(image: GpuImageEncoder, decoder: GpuDecoder, owned: readonly Disposable[]) {
    this.#image = image;
    this.#decoder = decoder;
    this.#owned = owned;
  }

  /** @throws Blip2Error `GPU_MODEL_UNSUPPORTED`, `OUT_OF_MEMORY`, `TENSOR_MISSING`, `TENSOR_SHAPE`, `ORT_FAILED` */
  static async open(sources: GpuModelSources): Promise<GpuModel> {
    const { config, memory, tensors, picture, float } = sources;
    const owned: Disposable[] = [memory];
    try {
      const text = decoderConfig(config);
      const weights = new Weights(config, tensors);
      const { image, token } = planUnits(sources, weights);
      const table = weights.get(tokenTableName(text, weights));
      const positions = text.family === 'opt' ? weights.get(POSITIONS) : null;

      const needed = [...image, ...token].flatMap((unit) => weightsOf(unit, (name) => weights.get(name)));
      const isResident = ({ block }: UnitWeight) => sources.isResident(block);
      const resident = needed.filter(isResident);
      const streamed = needed.filter(
        (weight) => !isResident(weight) && !resident.some(({ name }) => name === weight.name),
      );
      const tables = positions === null ? [table] : [table, positions];
      const files = await WeightFiles.open([...needed.flatMap((weight) => weight.tensors), ...tables], memory);
      owned.unshift(files);
      const loader = new WeightLoader(memory, files, sources.sessionOptions(false));
      owned.unshift(loader);
      const named = new Map(resident.map((weight) => [weight.name, weight]));
      const residentWeights = new ResidentWeights(memory, loader, named);
      files.unpinAllBut(streamed.flatMap((weight) => weight.tensors));
      const staging = openStaging([...image, ...token], streamed, memory, loader);

      const recorded = sources.canRecord && token.length === 1;
      const start = (units: readonly Unit[], records: boolean) => {
        const tensorOf = (name: string) => weights.get(name);
        const session = sources.sessionOptions(records);
        const program = new GpuProgram({ units, tensorOf, memory, resident: residentWeights, staging, session });
        owned.unshift(program);
        return program;
      };
      const hostStaging = new HostStaging(memory);
      const encoder = new GpuImageEncoder({
        program: start(image, false),
        memory,
        staging: hostStaging,
        config,
        float,
        picture,
      });
      owned.unshift(encoder);
      const rowsOf = (tensor: StoredTensor) =>
        new TableRows(tensor.shape[1] ?? 0, { bytes: files.bytesOf(tensor), dtype: tensor.dtype });
      const decoder = new GpuDecoder({
        program: start(token, recorded),
        memory,
        staging: hostStaging,
        config: text,
        float,
        records: recorded,
        tables: { tokens: rowsOf(table), positions: positions === null ? null : rowsOf(positions) },
      });
      owned.unshift(decoder);
      return new GpuModel(encoder, decoder, owned);
    } catch (error) {
      for (const each of owned) each[Symbol.dispose]();
      throw error;
    }
  }

  encodeImages(pixels: Float32Array, shape: readonly number[], words?: WordBatch): Promise<Tensor> {
    return Promise.resolve(this.#image.encode(pixels, shape, words));
  }

  tokens(prompt: LanguagePrompt): TokenSource {
    return this.#decoder.tokens(prompt);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#owned) each[Symbol.dispose]();
    return Promise.resolve();
  }
}

function decoderConfig(config: Blip2Config): DecoderOnlyConfig {
  const obstacle = gpuObstacle(config);
  if (obstacle === null && config.text.family !== 't5') return config.text;
  throw new Blip2Error('GPU_MODEL_UNSUPPORTED', `this model does not run on a GPU yet: ${obstacle ?? ''}`, {
    hint: 'Plan for the CPU alone (no --vram), or use --provider cpu with --emulate-gpu.',
  });
}

function planUnits({ config, picture, float, transposesWeights, isResident }: GpuModelSources, weights: Weights) {
  const sources = { config, weights, folder: '/', picture, style: gpuStyle(float, transposesWeights) };
  const units = (steps: ReturnType<typeof gpuImageSteps>, outputs: (blocks: readonly Block[]) => string[]) =>
    gpuUnits(steps, sources, { outputs, whole: steps.every(({ block }) => isResident(block.name)) });
  const caches = (blocks: readonly Block[]) =>
    blocks
      .filter(({ kind }) => kind === 'opt-layer')
      .flatMap(({ index }) => [presentWire(index, 'key'), presentWire(index, 'value')]);
  return {
    image: units(gpuImageSteps(config), () => ['language_input']),
    token: units(gpuTokenSteps(config), (blocks) => ['logits', ...caches(blocks)]),
  };
}

/** null where nothing is streamed. */
function openStaging(
  units: readonly Unit[],
  streamed: readonly UnitWeight[],
  memory: DeviceMemory,
  loader: WeightLoader,
): Staging | null {
  if (streamed.length === 0) return null;
  const bytes = new Map<string, number>();
  for (const weight of streamed) {
    const { block } = weight;
    bytes.set(block, (bytes.get(block) ?? 0) + alignedBytes(sizeOf(weight)));
  }
  const sizes = units.map(({ blocks }) => ({
    layers: blocks.length,
    bytes: blocks.reduce((sum, { name }) => sum + (bytes.get(name) ?? 0), 0),
  }));
  const layers = sizes.filter((unit) => unit.layers === 1).map((unit) => unit.bytes);
  return new Staging(
    memory,
    loader,
    Staging.halfBytes(Math.max(0, ...layers), Math.max(...sizes.map((unit) => unit.bytes))),
  );
}
