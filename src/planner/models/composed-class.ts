/**
 * Classes that are composed of two others, each of any type that `config.json` names: what AutoModel and AutoModelForCausalLM give for
 * `encoder` and `decoder` (transformers 5.24). The table has them with their default parts only.
 */
import { asConfig, stringOf, type AnyConfig } from './model-config.js';
import type { ModelClass, ModelTable, ModuleNode, Rename } from './read-model-table.js';
import type { UnsavedBuffer } from './unsaved-buffers.js';

const COMPOSED: ReadonlySet<string> = new Set([
  'VisionEncoderDecoderModel',
  'SpeechEncoderDecoderModel',
  'EncoderDecoderModel',
]);

/** Makes what the encoder hands over as wide as the decoder; the file of one that is not needed does not have it. */
const PROJECTION = 'enc_to_dec_proj';

/** null for a class that is not composed, and for parts that the table lacks. */
export function composedClass(table: ModelTable, cls: ModelClass, config: AnyConfig): ModelClass | null {
  if (!COMPOSED.has(cls.name)) return null;
  const encoder = partOf(table, config, 'encoder', isBaseModel);
  const decoder = partOf(table, config, 'decoder', ({ use }) => use === 'causal');
  if (encoder === undefined || decoder === undefined) return null;
  const parts = [partIn('encoder', encoder), partIn('decoder', decoder)];
  return {
    ...cls,
    root: {
      ...NO_MODULE,
      children: new Map([
        ['encoder', encoder.root],
        ['decoder', withCrossAttention(decoder.root)],
        [PROJECTION, LINEAR],
      ]),
    },
    decoder: 'decoder',
    head: decoder.head === null ? null : `decoder.${decoder.head}`,
    renames: parts.flatMap(({ renames }) => renames),
    // Patterns are those of the parts as they are: the whole does not add their paths.
    ignored: [...new Set([...encoder.ignored, ...decoder.ignored])],
    unsaved: parts.flatMap(({ unsaved }) => unsaved),
    // Each part ties by its own configuration; encoders have nothing to tie.
    ties: new Map([...decoder.ties].map(([target, source]) => [`decoder.${target}`, `decoder.${source}`])),
    tyingPart: 'decoder',
    tiedByDefault: decoder.tiedByDefault,
    encodes: true,
    isEager: decoder.isEager,
  };
}

function partOf(
  table: ModelTable,
  config: AnyConfig,
  field: string,
  isWanted: (cls: ModelClass) => boolean,
): ModelClass | undefined {
  const type = stringOf(asConfig(config[field]), 'model_type');
  const classes = type === null ? [] : table.classesOf(type).map((name) => table.classOf(name));
  return classes.filter((cls) => cls !== null).find(isWanted);
}

/** Whether AutoModel gives it: nothing stands upon it. BERT's for generation is called an encoder. */
const isBaseModel = ({ name, use }: ModelClass): boolean =>
  use === 'once' && /(?<!Heads?|Encoder|Backbone)Model$|GenerationEncoder$/.test(name);

/** What stands in a part's record by the part's own paths, by those of the whole. */
function partIn(path: string, cls: ModelClass): Pick<ModelClass, 'renames' | 'unsaved'> {
  return {
    renames: cls.renames.map((rename): Rename => ({
      ...rename,
      scope: rename.scope ? `${path}.${rename.scope}` : path,
    })),
    unsaved: cls.unsaved.map((buffer): UnsavedBuffer => ({
      ...buffer,
      name: `${path}.${buffer.name}`,
      factors: buffer.factors.map((factor) => ({
        ...factor,
        field: factor.field === null ? null : `${path}.${factor.field}`,
      })),
    })),
  };
}

const NO_MODULE: ModuleNode = {
  whole: false,
  wholeMark: null,
  uncalled: false,
  tensors: new Map(),
  buffers: new Set(),
  children: new Map(),
  empty: [],
};

const LINEAR: ModuleNode = {
  ...NO_MODULE,
  tensors: new Map([
    ['weight', 'never'],
    ['bias', 'never'],
  ]),
};

/** Decoders that attend to an encoder only where they are told to, as here, and have no modules for that by default. */
function withCrossAttention(node: ModuleNode): ModuleNode {
  const attn = node.children.get('attn');
  const children = [...node.children].flatMap(([name, child]): [string, ModuleNode][] => {
    const own: [string, ModuleNode] = [name, withCrossAttention(child)];
    if (node.children.has('crossattention')) return [own];
    // BERT's and what is made like it.
    if (name === 'attention' && child.children.has('self')) return [own, ['crossattention', child]];
    // GPT-2's, where queries have a projection of their own.
    if (name !== 'ln_2' || attn?.children.has('c_attn') !== true) return [own];
    const within = [...attn.children].flatMap(([each, linear]): [string, ModuleNode][] =>
      each === 'c_attn'
        ? [
            [each, linear],
            ['q_attn', linear],
          ]
        : [[each, linear]],
    );
    return [own, ['crossattention', { ...attn, children: new Map(within) }], ['ln_cross_attn', child]];
  });
  return { ...node, children: new Map(children) };
}
