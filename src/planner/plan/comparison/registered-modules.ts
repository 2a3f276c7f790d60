/** Tensors in the order in which transformers registers them, its ties and the modules that it does not split. */
import { isBlip2, parseBlip2Config } from '../../../model/blip2-config.js';
import { blip2Tensors } from '../../../model/blip2-tensors.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { Blip2Error } from '../../../errors.js';
import { decompressed } from '../../models/decompressed.js';
import { loadedModel, type LoadedModel } from '../../models/loaded-model.js';
import { asConfig } from '../../models/model-config.js';
import { quantizationOf } from '../../models/quantization.js';
import type { ModelTable } from '../../models/read-model-table.js';
import { sortedBy } from '../../profile/generic/generic-groups.js';
import { registeredBuffers, type RegisteredBuffer } from './registered-buffers.js';

export interface RegisteredModules {
  /** Tensors, and buffers that no file holds. */
  readonly names: readonly string[];
  readonly tensors: TensorTable;
  /** Tied tensor -> the one that it follows. */
  readonly ties: ReadonlyMap<string, string>;
  readonly isWhole: (module: string) => boolean;
  /** Whether it has modules without weights, which split it as others do. */
  readonly hasEmpty: (module: string) => boolean;
  /** Buffers come behind the modules beside them. */
  readonly isBuffer: (tensor: string) => boolean;
  readonly buffers: readonly RegisteredBuffer[];
}

/**
 * @param elementBytes of the dtype in which the model is loaded
 * @throws Blip2Error `MODEL_UNKNOWN`
 */
export function registeredModules(
  tensors: TensorTable,
  config: unknown,
  models: ModelTable | undefined,
  elementBytes: number,
): RegisteredModules {
  if (models === undefined || isBlip2(config)) {
    const ties = blip2Ties(config);
    return {
      names: registered(inModuleOrder(tensors.keys(), config), ties),
      tensors,
      ties,
      isWhole: (module) => WHOLE.test(module),
      hasEmpty: () => false,
      isBuffer: () => false,
      buffers: [],
    };
  }
  const described = asConfig(config);
  const model = loadedModel(
    models,
    config,
    decompressed(tensors, described, quantizationOf(described, 'transformers')),
  );
  if (model !== null) return ofClass(model, elementBytes);
  throw new Blip2Error(
    'MODEL_UNKNOWN',
    `What transformers ${models.version} would answer is known for its own classes only.`,
    {
      hint: 'Compare with another plan, or with a device map.',
    },
  );
}

function ofClass(model: LoadedModel, elementBytes: number): RegisteredModules {
  const { tensors, tree, ties: groups, isWhole } = model;
  const buffers = registeredBuffers(model, elementBytes);
  const ties = new Map(groups.flatMap(([first = '', ...others]) => others.map((other) => [other, first] as const)));
  const names = [...new Set([...tensors.keys(), ...ties.keys(), ...buffers.map(({ name }) => name)])];
  const loose = new Set(buffers.flatMap(({ name, isModule }) => (isModule ? [] : [name])));
  const orders = new Map(buffers.map(({ name, order }) => [name, order]));
  const orderOf = (name: string) => orders.get(name) ?? tree.order(name);
  return {
    names: sortedBy(names, (name) => orderOf(name)),
    tensors,
    ties,
    isBuffer: (tensor) => loose.has(tensor) || tree.isBuffer(tensor),
    buffers,
    isWhole,
    hasEmpty(module) {
      const nodes = tree.along(module);
      return nodes.length === module.split('.').length + 1 && (nodes.at(-1)?.empty.length ?? 0) > 0;
    },
  };
}

/** Modules that transformers lists as not to be split (`_no_split_modules` of BLIP-2, OPT and T5), by their paths. */
const WHOLE =
  /^(vision_model\.(embeddings|encoder\.layers\.\d+(\.self_attn)?)|qformer\.encoder\.layer\.\d+\.(cross)?attention\.attention|language_model\.(model\.decoder\.layers|encoder\.block|decoder\.block)\.\d+)$/;

/** Tied parameter -> the one it follows, as transformers 5 declares them; it ties T5's head whatever the file says. */
function blip2Ties(config: unknown): Map<string, string> {
  const lm = 'language_model';
  return parseBlip2Config(config).text.family === 'opt'
    ? new Map([[`${lm}.lm_head.weight`, `${lm}.model.decoder.embed_tokens.weight`]])
    : new Map(
        ['encoder.embed_tokens', 'decoder.embed_tokens', 'lm_head'].map((name) => [
          `${lm}.${name}.weight`,
          `${lm}.shared.weight`,
        ]),
      );
}

/** Files have their tensors in an order of their own, mostly that of their names. */
function inModuleOrder(names: Iterable<string>, config: unknown): string[] {
  const known = [...blip2Tensors(parseBlip2Config(config), { dtype: 'F16', ownHead: true }).keys()];
  const order = new Map(known.map((name, index) => [name, index]));
  return sortedBy([...names], (name) => [order.get(name) ?? known.length]);
}

/** Tensor names in the order of registration: each T5 stack's own table stands before its blocks, the head last. */
function registered(stored: readonly string[], ties: ReadonlyMap<string, string>): string[] {
  const names = stored.filter((name) => !ties.has(name));
  for (const name of ties.keys()) {
    const stack = /^(.*)\.embed_tokens\.weight$/.exec(name)?.[1];
    const at = stack === undefined ? -1 : names.findIndex((each) => each.startsWith(`${stack}.`));
    if (at >= 0) names.splice(at, 0, name);
    else names.push(name);
  }
  return names;
}
