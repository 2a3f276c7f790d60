/** What a profile of a class of transformers takes for granted, in words. */
import { formatSize } from '../../../size.js';
import type { Engine } from '../../map/engine.js';
import type { LoadedModel } from '../../models/loaded-model.js';
import { SINGLE_EXPERT } from './generic-block.js';
import { loadedBytesOf, type DtypeRules } from '../loaded-dtype.js';
import type { ProfileBlock } from '../model-profile.js';

export function knownNotes(model: LoadedModel, rules: DtypeRules): string[] {
  const { cls, version, tensors, ignored, unknown, ties } = model;
  const bytesOf = (names: readonly string[]): string => formatSize(loadedBytesOf(names, tensors, rules));
  const twins = ties.map((group) => group.filter((name) => tensors.has(name))).filter((group) => group.length > 1);
  return [
    `Modules, ties and float32 parameters are those of ${cls.name} in transformers ${version}.`,
    ...(ignored.length === 0
      ? []
      : [
          `${ignored.length} of the file's tensors, which transformers does not load, are left out: ${listed(ignored)}.`,
        ]),
    ...(unknown.length === 0
      ? []
      : [
          `${unknown.length} ${unknown.length === 1 ? 'tensor' : 'tensors'} (${bytesOf(unknown)}) ${unknown.length === 1 ? 'is' : 'are'} counted ` +
            `that ${cls.name} has by other than its default configuration, or not at all: ${listed(unknown)}.`,
        ]),
    ...twins.map(
      ([first = '', ...others]) =>
        `${others.join(' and ')} (${bytesOf(others)}) ${others.length === 1 ? 'is' : 'are'} counted beside ${first}: both are in the file, ` +
        'are loaded, and are one only where their values are equal.',
    ),
  ];
}

const listed = ([first = '', ...others]: readonly string[]): string =>
  others.length === 0 ? first : `${first} and the like`;

/** Of several GPUs. */
export function mainGpuNotes(blocks: readonly ProfileBlock[]): string[] {
  const main = blocks.filter(({ onMainGpu }) => onMainGpu === true);
  if (main.length === 0) return [];
  if (main.length === blocks.length)
    return [
      'Of several GPUs, one runs all of it: the model adds up what its layers make, and nothing brings that together.',
    ];
  return [
    'Of several GPUs, the lowest in the map runs all that is in no list of layers: the model adds up and reads there what its modules make ' +
      'and hold.',
  ];
}

const EXPERTS_APART =
  'The routed experts of a layer have a place of their own; where they are, a token reads those that it is sent to.';

const SINGLE_EXPERTS =
  'Each routed expert has a place of its own and is taken to be chosen as often as the others; a token reads or copies those that it ' +
  'is sent to.';

const ANOTHER_LOADER =
  'No engine of this package runs this model: the plan is for a loader that can place modules by these names, at the rates of blip2-run.';

/** Of a loader other than transformers. */
export function loaderNotes(engine: Engine, blocks: readonly ProfileBlock[]): string[] {
  if (engine === 'transformers') return [];
  return [
    ANOTHER_LOADER,
    ...(blocks.some(({ name }) => name.endsWith('experts')) ? [EXPERTS_APART] : []),
    ...(blocks.some(({ name }) => SINGLE_EXPERT.test(name)) ? [SINGLE_EXPERTS] : []),
  ];
}
