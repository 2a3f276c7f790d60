/**
 * Parameters that a class has and no file holds, whose shapes follow from others and from config.json: transformers makes them up, on the
 * device that the map gives them.
 */
import type { TensorInfo, TensorTable } from '../../tensor/tensor-info.js';
import { parentOf, pathsAbove } from '../map/module-paths.js';
import { asConfig, numberOf, textConfig, type AnyConfig } from './model-config.js';
import type { ModuleTree } from './module-tree.js';
import type { ModelClass } from './read-model-table.js';

type Tensors = TensorTable;

export interface TiedTensors {
  /** Groups that share memory. */
  readonly ties: readonly (readonly string[])[];
  /** Pairs that the class could tie, and its configuration does not. */
  readonly apart: readonly (readonly [string, string])[];
}

/**
 * @param loaded what the files hold, by loaded names
 */
export function lackingTensors(
  { head, use }: ModelClass,
  tree: ModuleTree,
  config: AnyConfig,
  { ties, apart }: TiedTensors,
  loaded: Tensors,
): Map<string, TensorInfo> {
  const known = [...loaded.keys(), ...ties.flat()];
  const held = new Set([...known, ...pathsAbove(known)]);
  const lacking = new Map<string, TensorInfo>();
  const add = (name: string, info: TensorInfo, isHeld = held.has(name)): void => {
    if (!isHeld && tree.depth(name) === Infinity) lacking.set(name, info);
  };
  // Of a module that has other tensors in place of its own, such as packed ones, nothing is known.
  const addModule = (name: string, tensors: Readonly<Record<string, TensorInfo>>): void => {
    if (!held.has(name)) for (const [leaf, info] of Object.entries(tensors)) add(`${name}.${leaf}`, info);
  };
  for (const pair of apart) {
    const info = loaded.get(pair[0]) ?? loaded.get(pair[1]);
    if (info === undefined) continue;
    for (const name of pair) add(name, info, held.has(name) || (name.endsWith('.weight') && held.has(parentOf(name))));
  }
  const text = textConfig(config);
  const width = numberOf(text, 'hidden_size', 'd_model', 'n_embd');
  const vocabulary = numberOf(text, 'vocab_size');
  const floats = (shape: readonly number[]): TensorInfo => ({ dtype: 'F32', shape });
  if (width !== null && vocabulary !== null) {
    if (head !== null) addModule(head, { weight: floats([vocabulary, width]) });
    const labels = use === 'once' ? labelsOf(config) : 0;
    const classifies = { weight: floats([labels, width]), bias: floats([labels]) };
    for (const name of labels > 0 ? ['classifier', 'score', 'qa_outputs'] : []) addModule(name, classifies);
  }
  const isLearned = config['use_learned_position_embeddings'] !== false;
  const positions = isLearned ? numberOf(config, 'max_position_embeddings') : null;
  for (const path of ['', ...held]) {
    const start = path === '' ? '' : `${path}.`;
    if (width !== null && positions !== null)
      addModule(`${start}embed_positions`, { weight: floats([positions, width]) });
    if (width !== null && isMasked(config)) add(`${start}masked_spec_embed`, floats([width]));
    if (/(^|\.)embeddings$/.test(path)) addModule(...poolerOf(path, config, loaded));
  }
  return lacking;
}

/** As transformers counts them. */
function labelsOf(config: AnyConfig): number {
  const { id2label: named, num_labels: said } = config;
  if (typeof named === 'object' && named !== null) return Object.keys(named).length;
  return typeof said === 'number' ? said : 2;
}

/** Whether a model of sound learns what stands for parts that are left out. */
function isMasked({ mask_time_prob: time, mask_feature_prob: feature }: AnyConfig): boolean {
  return time !== 0 || (feature !== 0 && feature !== undefined);
}

const WIDTH_FROM = ['cls_token', 'word_embeddings.weight'];

/** AutoModel always builds one, and many encoders, such as those of TrOCR and DINO, were saved without. */
function poolerOf(
  embeddings: string,
  config: AnyConfig,
  loaded: Tensors,
): [name: string, tensors: Readonly<Record<string, TensorInfo>>] {
  const above = embeddings.slice(0, -'embeddings'.length);
  const name = `${above}pooler.dense`;
  const embedded = WIDTH_FROM.map((each) => loaded.get(`${embeddings}.${each}`)).find((info) => info !== undefined);
  const width = embedded?.shape.at(-1);
  // MobileBERT's takes a token as it is where it is told to.
  if (embedded === undefined || width === undefined || config['classifier_activation'] === false) return [name, {}];
  const part = above === '' ? config : asConfig(config[above.slice(0, -1)]);
  const rows = numberOf(part, 'pooler_output_size') ?? width;
  const { dtype } = embedded;
  return [name, { weight: { dtype, shape: [rows, width] }, bias: { dtype, shape: [rows] } }];
}
