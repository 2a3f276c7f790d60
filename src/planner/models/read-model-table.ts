/**
 * What transformers loads, class by class: made from transformers itself by `scripts/model-table.py`, and read only where a
 * model that is not BLIP-2 is planned.
 */
import { Blip2Error } from '../../errors.js';
import * as z from 'zod';

/** A module of a class: equal ones are stored once. Numbers of lists are "*". */
export interface ModuleNode {
  /** Must be on one device with all that it holds (`_no_split_modules`). */
  readonly whole: boolean;
  /** Reads parameters of modules that it does not call, so that no hook brings them to the GPU. */
  readonly uncalled: boolean;
  /** Parameter or saved buffer -> when it is loaded in float32 whatever dtype is asked for. */
  readonly tensors: ReadonlyMap<string, Float32Rule>;
  /** Those of the tensors that are buffers. */
  readonly buffers: ReadonlySet<string>;
  /** Name -> number of its node, in the order of registration. */
  readonly children: ReadonlyMap<string, number>;
}

export type Float32Rule = 'never' | 'always' | 'in float16';

/** How the loader renames what a file holds; `merge` makes one tensor of several. */
export interface Rename {
  readonly kind: 'rename' | 'group' | 'pair' | 'merge';
  readonly sources: readonly string[];
  readonly targets: readonly string[];
  /** Path of the part whose names it applies to; null for all. */
  readonly scope: string | null;
  /** Added to the number that the source holds. */
  readonly offset: number;
}

/** What a model does, which decides the usual workload. */
export const MODEL_USES = ['causal', 'picture', 'speech', 'seq2seq', 'once'] as const;
export type ModelUse = (typeof MODEL_USES)[number];

export interface ModelClass {
  readonly name: string;
  readonly use: ModelUse;
  readonly root: number;
  /** What stands before the names of the base model; empty for none. */
  readonly prefix: string;
  /** Path of what runs for every token; empty for all. */
  readonly decoder: string;
  /** Path of what turns its output into logits. */
  readonly head: string | null;
  readonly renames: readonly Rename[];
  /** Patterns of names that loading leaves out. */
  readonly ignored: readonly string[];
  /** Tied tensor -> the one it follows, where the configuration ties. */
  readonly ties: ReadonlyMap<string, string>;
  /** Whether it ties where the configuration does not say. */
  readonly tiedByDefault: boolean;
}

export interface ModelTable {
  /** The version of transformers that it was made from. */
  readonly version: string;
  readonly nodes: readonly ModuleNode[];
  /** The class of that name, or null. */
  classOf(name: string): ModelClass | null;
  /** Names of the classes that load a `model_type`, the most usual first. */
  classesOf(modelType: string): readonly string[];
}

const transformSchema = z.tuple([z.string(), z.array(z.string()), z.array(z.string())]).rest(z.string());
const classSchema = z.strictObject({
  use: z.enum(MODEL_USES),
  root: z.number(),
  prefix: z.string().default(''),
  decoder: z.string().default(''),
  head: z.string().optional(),
  renames: z.number().optional(),
  ignored: z.number().optional(),
  ties: z.number().optional(),
  untied: z.boolean().default(false),
});
const tableSchema = z.strictObject({
  transformers: z.string(),
  legacy: z.array(transformSchema),
  nodes: z.array(z.string()),
  renames: z.array(z.array(transformSchema)),
  ties: z.array(z.record(z.string(), z.string())),
  ignored: z.array(z.array(z.string())),
  classes: z.record(z.string(), z.unknown()),
  types: z.record(z.string(), z.array(z.string())),
});

const KINDS = { r: 'rename', g: 'group', p: 'pair', c: 'merge' } as const;

/** @throws Blip2Error `MODEL_TABLE_INVALID` */
export function readModelTable(text: string): ModelTable {
  const parsed = tableSchema.safeParse(JSON.parse(text));
  if (!parsed.success) throw invalid(parsed.error);
  const { transformers: version, legacy, nodes, renames, ties, ignored, classes, types } = parsed.data;
  return {
    version,
    nodes: nodes.map(readNode),
    classOf(name) {
      if (!Object.hasOwn(classes, name)) return null;
      const found = classSchema.safeParse(classes[name]);
      if (!found.success) throw invalid(found.error);
      const { head = null, untied, ...rest } = found.data;
      return {
        ...rest,
        name,
        head,
        renames: [...(renames[rest.renames ?? -1] ?? []), ...legacy].map(readRename),
        ignored: ignored[rest.ignored ?? -1] ?? [],
        ties: new Map(Object.entries(ties[rest.ties ?? -1] ?? {})),
        tiedByDefault: !untied,
      };
    },
    classesOf: (modelType) => (Object.hasOwn(types, modelType) ? (types[modelType] ?? []) : []),
  };
}

/** `flags|tensor tensor:marks|child:node child:node`, marks being f, h (float32) and b (buffer) */
function readNode(text: string): ModuleNode {
  const [flags = '', tensors = '', children = ''] = text.split('|');
  const held = pairs(tensors);
  return {
    whole: flags.includes('w'),
    uncalled: flags.includes('u'),
    tensors: new Map(held.map(([name, marks = '']): [string, Float32Rule] => [name, ruleOf(marks)])),
    buffers: new Set(held.flatMap(([name, marks = '']) => (marks.includes('b') ? [name] : []))),
    children: new Map(pairs(children).map(([name, node]) => [name, Number(node)])),
  };
}

function ruleOf(marks: string): Float32Rule {
  if (marks.includes('f')) return 'always';
  return marks.includes('h') ? 'in float16' : 'never';
}

function pairs(text: string): [string, string | undefined][] {
  return text === '' ? [] : text.split(' ').map((word) => {
    const [name = '', value] = word.split(':');
    return [name, value];
  });
}

function readRename([code, sources, targets, scope]: z.infer<typeof transformSchema>): Rename {
  const letter = code[0];
  const kind = letter === 'g' || letter === 'p' || letter === 'c' ? letter : 'r';
  return { kind: KINDS[kind], sources, targets, scope: scope ?? null, offset: letter === 'o' ? Number(code.slice(1)) : 0 };
}

function invalid(error: z.ZodError): Blip2Error {
  return new Blip2Error('MODEL_TABLE_INVALID', `The table of models is not readable: ${z.prettifyError(error)}`);
}
