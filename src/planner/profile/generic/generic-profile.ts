/**
 * The profile of any checkpoint. Where the class of the model is known, its blocks, ties, float32 modules and phases are
 * those of transformers; otherwise they follow from tensor names alone, and the assumption is said.
 */
import type { TensorTable } from '../../../tensor/tensor-info.js';
import type { LoadedModel } from '../../models/loaded-model.js';
import { asConfig, tyingOf, type AnyConfig } from '../../models/model-config.js';
import type { Float32Rule } from '../../models/read-model-table.js';
import { peaksIn } from '../../models/picture-peaks.js';
import type { TowerPeaks } from '../../models/tower-peaks.js';
import { quantizationNotes, quantizationWarnings, type Quantization } from '../../models/quantization.js';
import { CROSS } from './cache-shape.js';
import { emptyModulesOf } from './empty-modules.js';
import { genericBlock } from './generic-block.js';
import { knownNotes, loaderNotes, mainGpuNotes } from './generic-notes.js';
import { genericGroups, LAST } from './generic-groups.js';
import { lackingKeys, lackingNotes } from './lacking-keys.js';
import { loadedGroups, type LoadedGroups } from './loaded-groups.js';
import { rowsOfPicture } from './tower-pictures.js';
import { fixedSound } from './sound-elements.js';
import { USUAL_SIZE, usualPicture, type UsualPicture } from './usual-picture.js';
import { unsavedPlaces } from './unsaved-places.js';
import type { DtypeRules } from '../loaded-dtype.js';
import type { ModelProfile, PlannedClass, ProfileOptions } from '../model-profile.js';
import { workloadNote } from '../workload/usual-workload.js';
import type { Workload } from '../workload/workload.js';

export interface GenericProfileOptions extends ProfileOptions {
  /** The parsed `config.json`, if there is one. */
  readonly config?: unknown;
  /** How many there are to plan for. */
  readonly gpus: number;
  /** Whether a map that is given places parts of a module; absent where none is. */
  readonly isApart?: ((path: string) => boolean) | undefined;
  /** Whether a map is given: what it places apart is looked at apart. */
  readonly isGiven: boolean;
  /** Whether some modules of a layer may be streamed and others not, where all runs on one GPU. */
  readonly cutsLayers: boolean;
  /** How the tensors are quantised; null where they are not. */
  readonly quantization: Quantization | null;
  /** The model as transformers loads it; null for a class that is not known. */
  readonly model: LoadedModel | null;
}

/** The profile for one workload after another of a checkpoint that is looked at once. */
export function genericProfiler(
  stored: TensorTable,
  options: GenericProfileOptions,
): (workload: Workload) => ModelProfile {
  const { dtype, engine, model, quantization } = options;
  const config = asConfig(options.config);
  const tensors = model?.tensors ?? stored;
  const rules: DtypeRules = {
    dtype,
    overrides: options.overrides,
    blip2: null,
    isPlain: quantization === null ? undefined : plainIn(model),
    float32: model === null ? undefined : float32In(model),
  };
  const known =
    model === null
      ? unknownGroups(stored, config)
      : loadedGroups(model, {
          placesExperts: engine !== 'transformers',
          onOneGpu: engine === 'transformers' && options.gpus <= 1,
          onSeveralGpus: engine === 'transformers' && options.gpus > 1,
          keepsUnits: engine === 'transformers' && options.gpus > 1 && !options.isGiven,
          isApart: options.isApart,
        });
  const { groups, aliases } = known;
  const emptyModules = model === null ? [] : emptyModulesOf(model, groups);
  const unsaved = model === null ? null : unsavedPlaces(model, known, emptyModules, dtype === 'float32' ? 4 : 2);
  const lacking = model === null ? new Map<string, string>() : lackingKeys(model, known);
  const shared = {
    tensors,
    rules,
    engine,
    config,
    cls: model?.cls ?? null,
    // As T5Gemma 2.
    mergesAttention: model?.cls.encodes === true && ![...tensors.keys()].some((name) => CROSS.test(name)),
    isBuffer: (name: string) => model?.tree.isBuffer(name) === true,
    bufferBytes: unsaved?.bytes ?? new Map<string, number>(),
    hasBoxes: [...tensors.keys()].some((name) => OF_BOXES.test(name)),
    sound: model === null ? null : fixedSound(config, tensors),
    onCpu: engine === 'transformers' && options.gpus === 0,
    headTables: headTables(model, aliases),
    cutsLayers: options.cutsLayers && engine === 'transformers' && model !== null && quantization === null,
    isKept: options.isKept,
    heldTogether: unsaved?.inside ?? new Set<string>(),
    quantizedStores: quantization?.stores ?? null,
  };
  const peaks = model === null || model.cls.pictures === null ? null : peaksIn(model.cls.pictures, tensors);
  return (workload) => {
    const picture = model === null ? null : usualPicture(model.cls, config, workload.pictureSize);
    const own = picture === null || peaks === null ? null : elementsOf(peaks, picture, workload);
    const pictureElements = new Map([...(own ?? []), ...elementsOfTowers(model?.towers ?? [], workload)]);
    const knownRows = new Map<string, number>();
    const rowsOf = (part: AnyConfig): number => {
      const key = JSON.stringify(part);
      const rows = knownRows.get(key) ?? rowsOfPicture(part, tensors, workload.pictureSize);
      knownRows.set(key, rows);
      return rows;
    };
    const rowsOfPictures = model?.cls.use === 'picture' || model?.cls.use === 'once' ? rowsOf : () => 0;
    const inWork = { ...shared, workload, pictureElements, rowsOfPicture: rowsOfPictures };
    const blocks = groups.map((group) => genericBlock(group, inWork));
    return {
      family: 'generic',
      model: model === null ? null : plannedClass(model, quantization),
      ...(quantization === null ? {} : { quantization: quantization.method }),
      dtype,
      workload,
      engine,
      blocks,
      aliases,
      emptyModules,
      ...(unsaved === null ? {} : { besideBlocks: unsaved.beside, frequencies: unsaved.frequencies }),
      ...(lacking.size === 0 ? {} : { lackingKeys: lacking }),
      weightBytes: blocks.reduce((sum, block) => sum + block.weightBytes, 0),
      assumptions: [
        ...(model === null ? UNKNOWN : [...knownNotes(model, rules), ...lackingNotes([...lacking.keys()], model)]),
        ...loaderNotes(engine, blocks),
        ...(options.isGiven ? [] : mainGpuNotes(blocks)),
        ...(model === null ? [] : [workloadNote(model.cls.use, workload, picture?.size)]),
        ...quantizationNotes(quantization, engine),
      ],
      warnings: [...(model?.warnings ?? []), ...quantizationWarnings(quantization, engine)],
    };
  };
}

const OF_BOXES = /\.rel_pos_x_bias\.weight$/;

/** What a class that runs once multiplies all of its tokens with, too, by the name of a head for which it has no role. */
function headTables(model: LoadedModel | null, aliases: ReadonlyMap<string, string>): ReadonlySet<string> {
  if (model?.cls.use !== 'once' || model.config['is_encoder_decoder'] === true) return new Set();
  return new Set([...aliases].filter(([owner]) => LAST.test(owner)).map(([, home]) => home));
}

/** More tokens than a picture has are more of it. */
function elementsOf(
  peaks: ReadonlyMap<string, number>,
  { size, tokens }: UsualPicture,
  { batch, promptTokens }: Workload,
): ReadonlyMap<string, number> {
  const pixels = (batch * size.height * size.width * promptTokens) / tokens;
  return new Map([...peaks].map(([weight, perPixel]) => [weight, Math.ceil(pixels * perPixel)]));
}

/** Of towers beside a text, whose picture has the size that it is made for, however long the text is. */
function elementsOfTowers(
  towers: readonly TowerPeaks[],
  { batch, pictureSize }: Workload,
): (readonly [string, number])[] {
  return towers.flatMap(({ size: own, frames, peaks }) => {
    const size = pictureSize ?? own ?? USUAL_SIZE;
    const pixels = batch * frames * size.height * size.width;
    return [...peaks].map(([weight, perPixel]) => [weight, Math.ceil(pixels * perPixel)] as const);
  });
}

function plannedClass({ cls: { name, use } }: LoadedModel, quantization: Quantization | null): PlannedClass {
  const dequantizes = quantization?.becomesFloats === true && !quantization.isUnread;
  return { class: name, use, ...(dequantizes ? { dequantize: true } : {}) };
}

/** What is made anew has the model's dtype even where files' parameters are kept in float32 (transformers 5.24). */
function float32In({ tree, unread }: LoadedModel): (name: string) => Float32Rule {
  const made = new Set(unread);
  return (name) => (made.has(name) ? 'never' : tree.float32(name));
}

function plainIn(model: LoadedModel | null): (name: string) => boolean {
  return model === null ? (name) => /\.(weight|bias)$/.test(name) : (name) => model.tree.depth(name) === Infinity;
}

const UNKNOWN: readonly string[] = [
  'Blocks, their order and how often they run follow from tensor names: this checkpoint has no BLIP-2 config.json.',
  'Key and value caches are as wide as the projections named k_proj, v_proj, key, value, wk or wv.',
];

function unknownGroups(tensors: TensorTable, config: AnyConfig): LoadedGroups {
  const [whole, language] = tyingOf(config);
  return { groups: genericGroups(tensors.keys(), whole ?? language ?? false), aliases: new Map() };
}
