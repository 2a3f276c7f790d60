/** What declaration files (`.d.ts`, as the compiler emits them) declare, with docstrings, and where a name comes from. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseSync } from 'rolldown/utils';

const KINDS = { TSDeclareFunction: 'Functions', ClassDeclaration: 'Classes', VariableDeclaration: 'Values' };

/** What a file declares by name, what it has from other files, and what it says of itself; each file is read once. */
const modules = new Map();

export function moduleOf(file) {
  if (!modules.has(file)) modules.set(file, readModule(file));
  return modules.get(file);
}

/** The declaration of a name as a file sees it; undefined for what is a library's or the language's own. */
export async function declarationOf(file, name) {
  const { declared, from } = await moduleOf(file);
  if (declared.has(name)) return declared.get(name);
  const source = from.get(name);
  return source === undefined ? undefined : declarationOf(source.file, source.name);
}

/** A comment's text, without its stars. */
export function textOf(comment) {
  const lines = comment.replace(/^\*/, '').split('\n');
  return lines
    .map((line) => line.replace(/^ *\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}

async function readModule(file) {
  const text = await readFile(file, 'utf8');
  const { program, comments, errors } = parseSync(file, text, { lang: 'dts' });
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  const docs = comments.filter(({ value }) => value.startsWith('*'));
  const module = { doc: '', declared: new Map(), from: new Map() };
  let end = 0;
  for (const node of program.body) {
    const own = docs.filter((comment) => comment.start >= end && comment.end <= node.start);
    // Before the first statement a file speaks of itself, where that declares nothing or has a comment of its own.
    const declaration = node.type === 'ExportNamedDeclaration' ? node.declaration : (node.id && node) || null;
    if (end === 0 && (declaration === null || own.length > 1)) module.doc = textOf(own[0]?.value ?? '');
    end = node.end;
    for (const [name, source] of namesFrom(node, file, module.from)) module.from.set(name, source);
    if (declaration !== null) declare(module.declared, file, text, node, declaration, own.at(-1)?.value);
  }
  return module;
}

/** Local name -> where another file has it, of an import or a list of exports. */
function namesFrom(node, file, known) {
  const { source, specifiers = [] } = node;
  if (source !== null && source !== undefined && !source.value.startsWith('.')) return [];
  const target = source ? join(dirname(file), source.value.replace(/\.js$/, '.d.ts')) : file;
  return specifiers.map(({ imported, exported, local }) => {
    const name = (imported ?? local).name;
    return [(exported ?? local).name, source ? { name, file: target } : (known.get(name) ?? { name, file })];
  });
}

/** Overloads of a function are one declaration. */
function declare(declared, file, text, node, declaration, comment) {
  const { name } = declaration.id ?? declaration.declarations[0].id;
  const code = text
    .slice(node.start, node.end)
    .replace(/^export (declare )?/, '')
    .replaceAll(/^ +/gm, (spaces) => spaces.slice(spaces.length >> 1))
    .replaceAll(/^ *(#private|private constructor\(.*\)|private .*);\n/gm, '');
  const before = declared.get(name);
  declared.set(name, {
    name,
    file,
    kind: KINDS[declaration.type] ?? 'Types',
    doc: before?.doc || textOf(comment ?? ''),
    code: before === undefined ? code : `${before.code}\n${code}`,
    mentions: new Set([...(before?.mentions ?? []), ...mentionsOf(declaration)]),
    numbers: [...(before?.numbers ?? []), ...bareNumbers(declaration, text)],
  });
}

/** Where nodes that mention others have their name. */
const NAMED = { TSTypeReference: 'typeName', TSTypeQuery: 'exprName', TSInterfaceHeritage: 'expression' };

/** Names of the types, and of the values that types are made of, in a declaration. */
function mentionsOf(node) {
  if (typeof node !== 'object' || node === null || node.accessibility === 'private') return [];
  return [node[NAMED[node.type]]?.name ?? [], ...Object.values(node).flatMap(mentionsOf)].flat();
}

/** Numbers of an interface that have no comment. */
function bareNumbers({ type, body }, text) {
  if (type !== 'TSInterfaceDeclaration') return [];
  return body.body.flatMap(({ key, typeAnnotation, start }) => {
    const kind = typeAnnotation?.typeAnnotation;
    const isNumber = (kind?.types ?? [kind]).every(
      (each) => each?.type === 'TSNumberKeyword' || each?.type === 'TSNullKeyword',
    );
    return isNumber && !text.slice(0, start).trimEnd().endsWith('*/') ? [key.name] : [];
  });
}
