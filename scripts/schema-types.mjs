/** Types that are inferred from a schema, as the schema describes them. */
import * as z from 'zod';

const WIDTH = 120;

/** Schemas by the names of the types that are inferred from them. */
const known = new Map();

/** The declaration with the members that its schema gives the type; itself where no schema does. */
export async function withMembers(declaration) {
  const schemaName = /\bz\.infer<typeof (\w+)>/.exec(declaration.code)?.[1];
  if (schemaName === undefined || declaration.kind !== 'Types') return declaration;
  const module = await import(declaration.file.replace(/\.d\.ts$/, '.js'));
  for (const exported of Object.values(module)) if (exported instanceof z.ZodType) learn(exported);
  const schema = schemaName in module ? rootOf(module[schemaName]) : known.get(declaration.name);
  if (schema === undefined)
    throw new Error(`${declaration.file}: no schema that is exported leads to ${declaration.name}`);
  return {
    ...declaration,
    code: `interface ${declaration.name} ${typeOf(schema, '')}`,
    mentions: new Set(),
    numbers: bareNumbers(schema),
  };
}

function learn(schema) {
  for (const [id, described] of Object.entries(z.toJSONSchema(schema).$defs ?? {})) known.set(id, described);
}

function rootOf(schema) {
  const { $ref, $defs, ...own } = z.toJSONSchema(schema);
  return $ref === undefined ? own : $defs[nameIn($ref)];
}

const nameIn = (ref) => ref.replace('#/$defs/', '').replaceAll('~1', '/');

function typeOf(schema, indent) {
  if (schema.$ref !== undefined) return nameIn(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const).replaceAll('"', "'");
  if (schema.enum !== undefined) return schema.enum.map((value) => `'${value}'`).join(' | ');
  const choices =
    schema.anyOf ?? (Array.isArray(schema.type) ? schema.type.map((type) => ({ ...schema, type })) : null);
  if (choices !== null) return choices.map((choice) => typeOf(choice, indent)).join(' | ');
  if (schema.type === 'array') return `readonly ${typeOf(schema.items, indent)}[]`;
  if (schema.type !== 'object') return schema.type === 'integer' ? 'number' : schema.type;
  if (schema.properties === undefined)
    return `Readonly<Record<string, ${typeOf(schema.additionalProperties, indent)}>>`;
  const deeper = `${indent}  `;
  const members = Object.entries(schema.properties).map(([name, member]) => {
    const comment = member.description === undefined ? '' : docOf(member.description, deeper);
    const key = /^\w+$/.test(name) ? name : `'${name}'`;
    return `${comment}${deeper}readonly ${key}${schema.required?.includes(name) ? '' : '?'}: ${typeOf(member, deeper)};\n`;
  });
  return `{\n${members.join('')}${indent}}`;
}

/** A docstring, in lines where one would be too long. */
function docOf(text, indent) {
  if (text.length < WIDTH) return `${indent}/** ${text} */\n`;
  const lines = text.match(new RegExp(`.{1,${WIDTH}}(?: |$)`, 'g'));
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line.trimEnd()}\n`).join('')}${indent} */\n`;
}

/** Numbers that are not described. */
function bareNumbers({ properties = {} }) {
  const isNumber = ({ type, anyOf = [] }) =>
    [type].flat().every((each) => /^(number|integer|null)$/.test(each ?? '')) ||
    (anyOf.length > 0 && anyOf.every(isNumber));
  return Object.keys(properties).filter(
    (name) => properties[name].description === undefined && isNumber(properties[name]),
  );
}
