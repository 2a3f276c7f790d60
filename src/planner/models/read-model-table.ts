/**
 * What transformers loads, class by class: made from transformers itself by `scripts/model-table.py`, and read only where a
 * model that is not BLIP-2 is planned.
 */
import { Blip2Error } from '../../errors.js';
import * as z from 'zod';
import { readCountedList, type CountedList } from './counted-layers.js';
import { readPicturePeaks, type PicturePeaks } from './picture-peaks.js';
import { readUnsavedBuffer, type UnsavedBuffer } from './unsaved-buffers.js';

/** A module of a class: equal ones are stored once. Numbers of lists are "*". */
export interface ModuleNode {
  /** Must be on one device with all that it holds (`_no_split_modules`). */
  readonly whole: boolean;
  /** In a list of which only some members must: the child or tensor that these hold and the others do not. */
  readonly wholeMark: string | null;
  /** Reads parameters of modules that it does not call, so that no hook brings them to the GPU, or is read for where inputs belong. */
  readonly uncalled: boolean;
  /** Parameter or saved buffer -> when it is loaded in float32 whatever dtype is asked for. */
  readonly tensors: ReadonlyMap<string, Float32Rule>;
  /** Those of the tensors that are buffers. */
  readonly buffers: ReadonlySet<string>;
  /** In the order of registration. */
  readonly children: ReadonlyMap<string, ModuleNode>;
  /** Paths of modules without weights below it, where maps may name them: not in modules that are whole. */
  readonly empty: readonly string[];
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
/** What a class is for, which decides the workload that it is planned for. */
export type ModelUse = (typeof MODEL_USES)[number];

/** A class of transformers: its modules, and how it renames, ties and leaves out what a file holds. */
export interface ModelClass {
  readonly name: string;
  readonly use: ModelUse;
  readonly root: ModuleNode;
  /** What stands before the names of the base model; empty for none. */
  readonly prefix: string;
  /** Path of what runs for every token; empty for all. */
  readonly decoder: string;
  /** Path of what turns its output into logits. */
  readonly head: string | null;
  readonly renames: readonly Rename[];
  /** Patterns of names that loading leaves out. */
  readonly ignored: readonly string[];
  /** Buffers that it makes itself. */
  readonly unsaved: readonly UnsavedBuffer[];
  /** Lists of modules that the configuration counts. */
  readonly counted: readonly CountedList[];
  /** Tied tensor -> the one it follows, where the configuration ties. */
  readonly ties: ReadonlyMap<string, string>;
  /** The field of `config.json` with the part that says whether it ties; null where the whole says so. */
  readonly tyingPart: string | null;
  /** Whether it ties, by what that part and its language model's say; null where they say nothing. */
  readonly isTied: (whole: boolean | null, language: boolean | null) => boolean;
  /** Whether what it is given goes through an encoder, to which its decoder attends: that begins with one token. */
  readonly encodes: boolean;
  /** Whether its attention is written out rather than one operation of torch, so that all scores of a prompt are in memory. */
  readonly isEager: boolean;
  /** Whether it makes logits of all tokens of a prompt, and not of the last alone. */
  readonly makesAllLogits: boolean;
  /** Of one that runs once: whether its decoder keeps keys and values all the same, where config.json does not have it otherwise. */
  readonly keepsCaches: boolean;
  /** Of one that runs once, over a picture; null for others. */
  readonly pictures: PicturePeaks | null;
}

/** What transformers loads, class by class. Source: transformers itself, by `scripts/model-table.py`. */
export interface ModelTable {
  /** The version of transformers that it was made from. */
  readonly version: string;
  /** The class of that name, or null. */
  classOf(name: string): ModelClass | null;
  /** Names of the classes that load a `model_type`, the most usual first. */
  classesOf(modelType: string): readonly string[];
}

/** As `scripts/table_text.py` describes them: numbers are of base 36, "-" is none. */
const tableSchema = z.strictObject({
  transformers: z.string(),
  words: z.string(),
  legacy: z.string(),
  nodes: z.array(z.string()),
  transforms: z.array(z.string()),
  renames: z.array(z.string()),
  ties: z.array(z.string()),
  tiedSets: z.array(z.string()),
  ignored: z.array(z.array(z.string())),
  unsaved: z.array(z.string()),
  counted: z.array(z.string()),
  pictures: z.array(z.string()),
  roles: z.array(z.string()),
  classes: z.array(z.string()),
  types: z.array(z.string()),
});

const KINDS = { r: 'rename', g: 'group', p: 'pair', c: 'merge' } as const;

/**
 * Reads the table as `scripts/model-table.py` writes it.
 * @throws Blip2Error `MODEL_TABLE_INVALID`
 */
export function readModelTable(text: string): ModelTable {
  const parsed = tableSchema.safeParse(JSON.parse(text));
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
  const table = parsed.data;
  const words = split(table.words);
  const nodes: ModuleNode[] = [];
  const nodeAt = (index: number): ModuleNode =>
    (nodes[index] ??= readNode(rowOf(table.nodes, index), words, (child) => {
      if (child < index) return nodeAt(child);
      throw invalid(`its row ${index} of modules holds ${child}, which is not before it`);
    }));
  const classes = new Map(table.classes.map((row) => [firstOf(row), row]));
  const types = new Map(table.types.map((row) => [firstOf(row), row]));
  const renamesOf = (row: string): Rename[] => split(row).map((digits) => readRename(rowAt(table.transforms, digits)));
  return {
    version: table.transformers,
    classOf(name) {
      const row = classes.get(name);
      if (row === undefined) return null;
      const [, root = '', role = '', renames = '-', ties = '-', ignored = '-', unsaved = '-', ...lists] = split(row);
      const [counted = '-', pictures = '-'] = lists;
      const [word, prefix = '-', decoder = '-', head = '-', ...marks] = split(rowAt(table.roles, role));
      const use = useOf(word);
      const rowsOf = (rows: readonly string[], listed: string): string[] =>
        listed === '-' ? [] : listed.split(',').map((digits) => rowAt(rows, digits));
      const pairs =
        ties === '-' ? [] : split(rowAt(table.tiedSets, ties)).map((digits) => split(rowAt(table.ties, digits)));
      return {
        name,
        use,
        root: nodeAt(numberOf(root)),
        prefix: prefix === '-' ? '' : prefix,
        decoder: decoder === '-' ? '' : decoder,
        head: head === '-' ? null : head,
        renames: [...(renames === '-' ? [] : renamesOf(rowAt(table.renames, renames))), ...renamesOf(table.legacy)],
        ignored: ignored === '-' ? [] : rowAt(table.ignored, ignored),
        unsaved: rowsOf(table.unsaved, unsaved).map(readUnsavedBuffer),
        counted: rowsOf(table.counted, counted).map(readCountedList),
        ties: new Map(pairs.map(([target = '', source = '']) => [target, source])),
        tyingPart: null,
        isTied: tyingOf(marks.find((mark) => /^[TF]+$/.test(mark)) ?? ''),
        encodes: marks.includes('encodes'),
        isEager: marks.includes('eager'),
        makesAllLogits: marks.includes('logits'),
        keepsCaches: marks.includes('keeps'),
        pictures: pictures === '-' ? null : readPicturePeaks(rowAt(table.pictures, pictures)),
      };
    },
    classesOf: (modelType) =>
      split(types.get(modelType) ?? '')
        .slice(1)
        .map((digits) => firstOf(rowAt(table.classes, digits))),
  };
}

/** @param letters "T" where it ties, for each answer of the whole, or for each of the whole and its language model's part */
function tyingOf(letters: string): ModelClass['isTied'] {
  const at = (said: boolean | null): number => (said === null ? 0 : said ? 2 : 1);
  return (whole, language) => letters[letters.length > 3 ? 3 * at(whole) + at(language) : at(whole)] === 'T';
}

function useOf(word: string | undefined): ModelUse {
  const use = MODEL_USES.find((each) => each === word);
  if (use === undefined) throw invalid(`a class is of no use: ${word ?? ''}`);
  return use;
}

/** `flags|tensor tensor:marks|child:node child:node|empty`, flags being w or w=mark, and u; marks f, h (float32) and b (buffer) */
function readNode(row: string, words: readonly string[], nodeAt: (index: number) => ModuleNode): ModuleNode {
  const [flagged = '', tensors = '', children = '', empty = ''] = row.split('|');
  const [flags = '', wholeMark = null] = flagged.split('=');
  const held = pairsOf(tensors, words);
  return {
    whole: flags.includes('w'),
    wholeMark,
    uncalled: flags.includes('u'),
    tensors: new Map(held.map(([name, marks]): [string, Float32Rule] => [name, ruleOf(marks)])),
    buffers: new Set(held.flatMap(([name, marks]) => (marks.includes('b') ? [name] : []))),
    children: new Map(pairsOf(children, words).map(([name, node]) => [name, nodeAt(numberOf(node))])),
    empty: pairsOf(empty, words).map(([path]) => path),
  };
}

function ruleOf(marks: string): Float32Rule {
  if (marks.includes('f')) return 'always';
  return marks.includes('h') ? 'in float16' : 'never';
}

function pairsOf(text: string, words: readonly string[]): [string, string][] {
  return split(text).map((each) => {
    const [word = '', rest = ''] = each.split(':');
    return [rowAt(words, word), rest];
  });
}

/** `kind source source > target target`, or `kind@scope` */
function readRename(row: string): Rename {
  const start = row.indexOf(' ');
  const [code = '', scope = null] = row.slice(0, start).split('@');
  const [sources = '', targets = ''] = row.slice(start + 1).split(' > ');
  const letter = code[0];
  const kind = letter === 'g' || letter === 'p' || letter === 'c' ? letter : 'r';
  const offset = letter === 'o' ? Number(code.slice(1)) : 0;
  return { kind: KINDS[kind], sources: sources.split(' '), targets: targets.split(' '), scope, offset };
}

const split = (text: string): string[] => (text === '' ? [] : text.split(' '));
const firstOf = (row: string): string => row.slice(0, row.indexOf(' '));
const numberOf = (digits: string): number => Number.parseInt(digits, 36);

function rowAt<T>(rows: readonly T[], digits: string): T {
  return rowOf(rows, numberOf(digits));
}

function rowOf<T>(rows: readonly T[], index: number): T {
  const row = rows[index];
  if (row === undefined) throw invalid(`it has no row ${index} of ${rows.length}`);
  return row;
}

function invalid(why: string): Blip2Error {
  return new Blip2Error('MODEL_TABLE_INVALID', `The table of models is not readable: ${why}`);
}
