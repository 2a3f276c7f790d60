/**
 * Classes that are composed of two others, each of any type that `config.json` names: what AutoModel and AutoModelForCausalLM give for
 * `encoder` and `decoder` (transformers 5.24). The table has them with their default parts only.
 */
import { asConfig, stringOf, type AnyConfig } from './model-config.js';
import type { ModelClass, ModelTable, ModuleNode, Rename } from './read-model-table.js';
import type { UnsavedBuffer } from './unsaved-buffers.js';

/** Class -> the type of its encoder where `config.json` names none. */
const COMPOSED: ReadonlyMap<string, string> = new Map([
  ['VisionEncoderDecoderModel', 'vit'],
  ['SpeechEncoderDecoderModel', 'wav2vec2'],
  ['EncoderDecoderModel', 'bert'],
]);

/** Makes what the encoder hands over as wide as the decoder is: no file has one where both are of one width. */
const PROJECTION = 'enc_to_dec_proj';

/**
 * The class with the parts that `config.json` names: itself where it is not composed, null where the table lacks a part.
 * @param tensors of the files
 */
export function composedClass(
  table: ModelTable,
  cls: ModelClass,
  config: AnyConfig,
  tensors: ReadonlyMap<string, unknown>,
): ModelClass | null {
  if (!COMPOSED.has(cls.name)) return cls;
  const types = partTypes(cls.name, config);
  const encoder = partOf(table, types.encoder, isBaseModel);
  const decoder = partOf(table, types.decoder, isDecoder);
  if (encoder === undefined || decoder === undefined) return null;
  const parts = [partIn('encoder', encoder), partIn('decoder', decoder)];
  return {
    ...cls,
    root: {
      ...NO_MODULE,
      children: new Map([
        ['encoder', encoder.root],
        ['decoder', withCrossAttention(decoder.root)],
        ...(tensors.has(`${PROJECTION}.weight`) ? ([[PROJECTION, LINEAR]] as const) : []),
      ]),
    },
    decoder: 'decoder',
    head: decoder.head === null ? null : `decoder.${decoder.head}`,
    renames: parts.flatMap(({ renames }) => renames),
    // Patterns are those of the parts as they are: the whole does not add their paths.
    ignored: [...new Set([...encoder.ignored, ...decoder.ignored])],
    unsaved: parts.flatMap(({ unsaved }) => unsaved),
    counted: parts.flatMap(({ counted }) => counted),
    // Each part ties by its own configuration; encoders have nothing to tie.
    ties: new Map([...decoder.ties].map(([target, source]) => [`decoder.${target}`, `decoder.${source}`])),
    tyingPart: 'decoder',
    isTied: decoder.isTied,
    encodes: true,
    isEager: decoder.isEager,
  };
}

/** The type of a part that the table lacks; null where it has both, and for a class that is not composed. */
export function lackingPart(table: ModelTable, name: string, config: AnyConfig): string | null {
  if (!COMPOSED.has(name)) return null;
  const { encoder, decoder } = partTypes(name, config);
  if (partOf(table, encoder, isBaseModel) === undefined) return encoder;
  return partOf(table, decoder, isDecoder) === undefined ? decoder : null;
}

function partTypes(name: string, config: AnyConfig): { readonly encoder: string; readonly decoder: string } {
  const typeOf = (part: string): string | null => stringOf(asConfig(config[part]), 'model_type');
  return { encoder: typeOf('encoder') ?? COMPOSED.get(name) ?? 'bert', decoder: typeOf('decoder') ?? 'bert' };
}

function partOf(table: ModelTable, type: string, isWanted: (cls: ModelClass) => boolean): ModelClass | undefined {
  const classes = table.classesOf(type).map((name) => table.classOf(name));
  return classes.filter((cls) => cls !== null).find(isWanted);
}

const isDecoder = ({ use }: ModelClass): boolean => use === 'causal';

/** Whether AutoModel gives it: nothing stands upon it. BERT's for generation is called an encoder. */
const isBaseModel = ({ name, use }: ModelClass): boolean =>
  use === 'once' && /(?<!Heads?|Encoder|Backbone)Model$|GenerationEncoder$/.test(name);

/** What stands in a part's record by the part's own paths, by those of the whole. */
function partIn(path: string, cls: ModelClass): Pick<ModelClass, 'renames' | 'unsaved' | 'counted'> {
  return {
    renames: cls.renames.map((rename): Rename => ({
      ...rename,
      scope: rename.scope ? `${path}.${rename.scope}` : path,
    })),
    counted: cls.counted.map((list) => ({ ...list, path: `${path}.${list.path}`, field: `${path}.${list.field}` })),
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
      (each === 'c_attn' ? [each, 'q_attn'] : [each]).map((linearName) => [linearName, linear]),
    );
    return [own, ['crossattention', { ...attn, children: new Map(within) }], ['ln_cross_attn', child]];
  });
  return { ...node, children: new Map(children) };
}
