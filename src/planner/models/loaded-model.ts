/** A checkpoint as transformers loads it: its class, and tensors under the names that they have then. */
import type { Dtype } from '../../tensor/dtype.js';
import { elementCount, type TensorInfo, type TensorTable } from '../../tensor/tensor-info.js';
import { composedClass } from './composed-class.js';
import { countedLayers } from './counted-layers.js';
import { lackingTensors, type TiedTensors } from './lacking-tensors.js';
import { lackingWeights } from './lacking-weights.js';
import { renamer, type Renamer } from './loaded-name.js';
import {
  architecturesOf,
  asConfig,
  numberOf,
  sizeRefusals,
  stringOf,
  textConfig,
  tyingOf,
  tyingRefusal,
  type AnyConfig,
} from './model-config.js';
import { moduleTree, type ModuleTree } from './module-tree.js';
import { pathsAbove } from '../map/module-paths.js';
import { quantizationOf } from './quantization.js';
import type { ModelClass, ModelTable } from './read-model-table.js';
import { tiesUnder } from './shared-layers.js';
import { towerPeaks, type TowerPeaks } from './tower-peaks.js';

/** A checkpoint as transformers loads it: under the names of its class, with ties and merges. */
export interface LoadedModel {
  readonly cls: ModelClass;
  /** Of transformers. */
  readonly version: string;
  readonly tree: ModuleTree;
  readonly config: AnyConfig;
  /** Loaded name -> the tensor; where several of the file become one, as many of the first, one behind the other. */
  readonly tensors: TensorTable;
  /** Loaded name -> its names in the file. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
  /** Names of the file that loading leaves out. */
  readonly ignored: readonly string[];
  /** Loaded names that the class does not have where its configuration is the default one. */
  readonly unknown: readonly string[];
  /** Tensors that share memory: the first of each group is in the file. */
  readonly ties: readonly (readonly string[])[];
  /** Names for which loading finds nothing on the disk: no file holds them, nor what they are tied to, or the configuration says that they are apart. */
  readonly unread: readonly string[];
  /** What towers hold that go over pictures beside a text. */
  readonly towers: readonly TowerPeaks[];
  /** Whether a module must be on one device with all that it holds. */
  readonly isWhole: (module: string) => boolean;
  /** Where the files, config.json and the class do not agree. */
  readonly warnings: readonly string[];
}

/** Floats that old versions saved and no class loads. */
const OLD_BUFFER = /\.(rotary_emb\.inv_freq|masked_bias)$/;
/** Parameters are floats: what else a class does not have is a buffer that old versions saved, such as position_ids. */
const NO_FLOATS: ReadonlySet<Dtype> = new Set(['I64', 'I32', 'U8', 'BOOL']);

/** Names looked at to tell classes apart. */
const SAMPLE = 300;
/** Of the names, what a class must have modules for. */
const ENOUGH = 0.6;
const CLEARLY = 0.05;

const answers = new WeakMap<TensorTable, { table: ModelTable; json: unknown; model: LoadedModel | null }>();

/** null where no class of the table loads these tensors. */
export function loadedModel(table: ModelTable, json: unknown, tensors: TensorTable): LoadedModel | null {
  const found = answers.get(tensors);
  if (found?.table === table && found.json === json) return found.model;
  const model = findModel(table, json, tensors);
  answers.set(tensors, { table, json, model });
  return model;
}

function findModel(table: ModelTable, json: unknown, tensors: TensorTable): LoadedModel | null {
  const config = asConfig(json);
  const step = Math.max(1, Math.floor(tensors.size / SAMPLE));
  const sample = [...tensors.keys()].filter((_, i) => i % step === 0);
  let best: { cls: ModelClass; share: number } | null = null;
  for (const cls of candidates(table, config, tensors)) {
    // The first is what config.json names: another has to be clearly better.
    if (best !== null && best.share + CLEARLY >= 1) break;
    const share = coverage(cls, sample);
    if (share >= ENOUGH && (best === null || share > best.share + CLEARLY)) best = { cls, share };
  }
  return best === null ? null : translated(table, best.cls, config, tensors);
}

function candidates(table: ModelTable, config: AnyConfig, tensors: TensorTable): ModelClass[] {
  const type = stringOf(config, 'model_type');
  const ofType = type === null ? [] : table.classesOf(type);
  // A text model cut out of a larger one keeps the name of its class, which does not load its configuration.
  const named = architecturesOf(config).filter((name) => ofType.length === 0 || ofType.includes(name));
  const names = [...named, ...ofType];
  return [...new Set(names)].flatMap((name) => {
    const cls = table.classOf(name);
    return (cls === null ? null : composedClass(table, cls, config, tensors)) ?? [];
  });
}

function renamerOf(cls: ModelClass, tree: ModuleTree): Renamer {
  return renamer(cls.renames, cls.prefix, (name) => tree.depth(name));
}

/** The part of the names for which the class has the module. */
function coverage(cls: ModelClass, names: readonly string[]): number {
  const tree = moduleTree(cls);
  const rename = renamerOf(cls, tree);
  const isIgnored = ignoring(cls);
  const known = names.filter((source) => {
    const name = rename(source);
    // What a layer holds may differ with the configuration; that there is such a layer may not.
    const isInWhole = tree.along(name).some((node) => node.whole);
    return isInWhole || tree.depth(name) >= name.split('.').length - 1 || isIgnored(source, name);
  });
  return names.length === 0 ? 0 : known.length / names.length;
}

/** SigLIP's pooling head, which a tower has unless its part of config.json says that it has none. */
const POOLING_HEAD = 'vision_model\\.head\\.';

/** Whether the class says that it leaves a tensor out, by either of its names: one that it lacks may have been given a prefix. */
function ignoring(cls: ModelClass, config: AnyConfig = {}): (source: string, name: string) => boolean {
  const vision = config['vision_config'];
  const pools = vision !== undefined && asConfig(vision)['vision_use_head'] !== false;
  const patterns = cls.ignored.flatMap((pattern) => (pattern === POOLING_HEAD && pools ? [] : [new RegExp(pattern)]));
  return (source, name) => patterns.some((pattern) => pattern.test(source) || pattern.test(name));
}

function translated(table: ModelTable, cls: ModelClass, config: AnyConfig, tensors: TensorTable): LoadedModel {
  const tree = moduleTree(cls);
  const rename = renamerOf(cls, tree);
  const isIgnored = ignoring(cls, config);
  const isQuantized = quantizationOf(config, 'transformers') !== null;
  const loaded = new Map<string, TensorInfo>();
  const sources = new Map<string, string[]>();
  const ignored: string[] = [];
  const unknown: string[] = [];
  const strange: string[] = [];
  const layers = countedLayers(cls.counted, config);
  for (const [source, info] of tensors) {
    const name = rename(source);
    const isUnknown = tree.depth(name) !== Infinity;
    const isOld = OLD_BUFFER.test(name) || (!isQuantized && NO_FLOATS.has(info.dtype));
    if (isUnknown && !layers.isBeyond(name)) strange.push(name);
    if (layers.isBeyond(name) || (isUnknown && (isOld || isIgnored(source, name)))) {
      ignored.push(source);
      continue;
    }
    if (isUnknown) unknown.push(name);
    const known = sources.get(name);
    if (known === undefined) {
      sources.set(name, [source]);
      loaded.set(name, info);
    } else {
      known.push(source);
      loaded.set(name, joined(loaded.get(name) ?? info, info, known.length));
    }
  }
  cutPadding(loaded, cls, config);
  const ties = tiesOf(cls, config, loaded);
  const layersMade = layers.made(loaded, ties.ties.flat(), !isQuantized && unknown.length === 0);
  const made = new Map([...layersMade.tensors, ...lackingTensors(cls, tree, config, ties, loaded)]);
  for (const [name, info] of made) loaded.set(name, info);
  return {
    cls,
    version: table.version,
    tree,
    config,
    tensors: loaded,
    sources,
    ignored,
    unknown,
    ties: ties.ties,
    unread: [...ties.unread, ...made.keys()],
    towers: towerPeaks(table, cls, config, loaded),
    isWhole: wholeness(tree, loaded.keys()),
    warnings: [
      unlisted(table, cls, config),
      ...new Set([...layers.warnings, ...sizeRefusals(config)]),
      ...layersMade.warnings,
      cls.ties.size === 0 ? null : tyingRefusal(config),
      isQuantized ? null : lackingWeights(strange, loaded, tree),
    ].filter((said) => said !== null),
  };
}

/** A class that the table lacks may have other modules beside those that it shares with one of its kind. */
function unlisted(table: ModelTable, { name }: ModelClass, config: AnyConfig): string | null {
  const [named] = architecturesOf(config);
  if (named === undefined || table.classOf(named) !== null) return null;
  return `${named} is not in the table of transformers ${table.version}'s models: planned as ${name}, which loads configurations of its kind.`;
}

function wholeness(tree: ModuleTree, tensors: Iterable<string>): (module: string) => boolean {
  let held: Set<string> | undefined;
  return (module) => {
    const nodes = tree.along(module);
    const node = nodes.length === module.split('.').length + 1 ? nodes.at(-1) : undefined;
    if (node === undefined || !node.whole || node.wholeMark === null) return node?.whole === true;
    held ??= new Set([...tensors].flatMap((name) => [name, ...pathsAbove([name])]));
    return held.has(`${module}.${node.wholeMark}`);
  };
}

/** A head whose rows are stored with those that pad the vocabulary, as Inkling 2's, is cut when it is loaded. */
function cutPadding(tensors: Map<string, TensorInfo>, { head }: ModelClass, config: AnyConfig): void {
  const rows = numberOf(textConfig(config), 'unpadded_vocab_size');
  const name = `${head ?? ''}.weight`;
  const stored = tensors.get(name);
  const [held = 0, ...rest] = stored?.shape ?? [];
  if (stored !== undefined && rows !== null && held > rows) tensors.set(name, { ...stored, shape: [rows, ...rest] });
}

/** One tensor of `count` that were apart. */
function joined(before: TensorInfo, next: TensorInfo, count: number): TensorInfo {
  const [, ...rest] = before.shape;
  const one = count === 2 ? before.shape : rest;
  const alike = before.dtype === next.dtype && one.join() === next.shape.join();
  if (alike) return { dtype: before.dtype, shape: [count, ...next.shape] };
  return { dtype: before.dtype, shape: [elementCount(before.shape) + elementCount(next.shape)] };
}

function tiesOf(cls: ModelClass, config: AnyConfig, tensors: TensorTable): TiedTensors & Pick<LoadedModel, 'unread'> {
  const names = [...tensors.keys()];
  const pairs = tiesUnder(config, cls.ties).flatMap(([target, source]) => pairsOf(target, source, names));
  if (!cls.isTied(...tyingOf(cls.tyingPart === null ? config : asConfig(config[cls.tyingPart]))))
    return { ties: [], apart: pairs, unread: [] };
  const groups = new Map<string, string[]>();
  for (const [tied, first] of pairs) groups.set(first, [...(groups.get(first) ?? [first]), tied]);
  const stored = [...groups].filter(([, group]) => group.some((name) => tensors.has(name)));
  const unread = stored.flatMap(([source, group]) =>
    tensors.has(source) ? [] : group.filter((name) => !tensors.has(name)),
  );
  const ties = stored.map(([, group]) => {
    const [first = '', ...others] = [
      ...group.filter((name) => tensors.has(name)),
      ...group.filter((name) => !tensors.has(name)),
    ];
    return [first, ...others];
  });
  return { ties, apart: [], unread };
}

/** A tie of modules is one of each of their tensors. */
function pairsOf(target: string, source: string, names: readonly string[]): [string, string][] {
  const below = names.filter((name) => name.startsWith(`${source}.`));
  return below.length === 0 ? [[target, source]] : below.map((name) => [target + name.slice(source.length), name]);
}
