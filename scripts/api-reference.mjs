/**
 * The API reference of docs/api: a page for each entry point of package.json, from the declarations that `npm run build` emits.
 *
 *   node scripts/api-reference.mjs            writes the pages
 *   node scripts/api-reference.mjs --check    exit status 1 where a page is another, an export has no docstring that says what it
 *                                             is, one throws what is no error code, or a number has no unit in name or docstring
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { declarationOf, moduleOf } from './declarations.mjs';
import { withMembers } from './schema-types.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const FOLDER = join(ROOT, 'docs/api');
const SECTIONS = ['Functions', 'Classes', 'Values', 'Types'];
const WORDS = { throws: 'Throws', returns: 'Returns' };
/** Parts of names that say what a number counts. */
const UNIT = /bytes?|ms$|persecond|seconds|pixels|tokens|index|width|height|^id$|^seed$/i;

const { name: packageName, exports } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
const entries = Object.entries(exports)
  .filter(([entry, { types }]) => types !== undefined && entry !== '.')
  .map(([entry, { types }]) => ({ entry: entry.slice(2), file: join(ROOT, types) }));

const { ERROR_CODES } = await import(join(ROOT, 'dist/src/error-codes.js'));
const codes = Object.keys(ERROR_CODES);
const exported = await Promise.all(entries.map(({ file }) => exportsOf(file)));
const everywhere = new Set(exported.flat().map(keyOf));
const pages = new Map([['README.md', index()]]);
const faults = [];
for (const [i, { entry, file }] of entries.entries()) {
  const own = exported[i];
  pages.set(`${entry}.md`, await page(entry, file, own));
  for (const declaration of own) {
    const { name, doc, numbers } = declaration;
    if (!/^([^@]|@returns)/.test(doc)) faults.push(`${entry}: ${name} has no docstring that says what it is`);
    for (const code of codesIn(`${doc}\n${declaration.code}`))
      if (!isCode(code)) faults.push(`${entry}: ${name} throws ${code}, which is no error code`);
    for (const member of numbers.filter((each) => !UNIT.test(each) && !doc.includes(`\`${each}\``)))
      faults.push(`${entry}: ${name}.${member} says neither in its name nor in a docstring what it counts`);
  }
}

if (process.argv.includes('--check')) {
  for (const [file, text] of pages) {
    const written = await readFile(join(FOLDER, file), 'utf8').catch(() => '');
    if (written !== text) faults.push(`docs/api/${file} is not what the declarations say: npm run api writes it`);
  }
} else {
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  for (const [file, text] of pages) await writeFile(join(FOLDER, file), text);
}
if (faults.length > 0) {
  console.error([...new Set(faults)].join('\n'));
  process.exitCode = 1;
}

/** What stands in capitals, or as a name, after `@throws`. */
function codesIn(text) {
  const thrown = [...text.matchAll(/@throws((?:(?!@\w|\*\/|\n\n)[^])*)/g)].map(([, said]) => said);
  return thrown.flatMap((said) => [...said.matchAll(/`([A-Z][\w*]*)`/g)].map(([, code]) => code));
}

/** `IMAGE_*` stands for all that begin so; a type that has codes is named as well. */
function isCode(code) {
  const begin = code.endsWith('*') ? code.slice(0, -1) : null;
  return (
    code === 'SafetensorsErrorCode' || codes.some((each) => each === code || (begin !== null && each.startsWith(begin)))
  );
}

function keyOf({ name, file }) {
  return `${file} ${name}`;
}

async function exportsOf(file) {
  const { declared, from } = await moduleOf(file);
  const names = [...declared.keys(), ...from.keys()];
  const found = await Promise.all(names.map((name) => declarationOf(file, name)));
  // What no file of ours declares is a package's, and the index uses it.
  return Promise.all(found.filter((each) => each !== undefined).map(withMembers));
}

function index() {
  const lines = entries.map(({ entry }) => `- [\`${packageName}/${entry}\`](${entry}.md)`);
  return `# API reference\n\nMade by \`npm run api\` from the docstrings of the entry points. \`${packageName}\` alone is planner, loader and runtime.\n\n${lines.join('\n')}\n`;
}

async function page(entry, file, own) {
  const { doc } = await moduleOf(file);
  const sections = SECTIONS.map((title) =>
    section(
      title,
      own.filter(({ kind }) => kind === title),
    ),
  );
  const parts = [`# ${packageName}/${entry}`, doc, ...sections, section('Also mentioned', await mentionedBy(own))];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** What no entry point exports, as far as exported declarations lead to them. */
async function mentionedBy(declarations) {
  const found = new Map();
  const open = [...declarations];
  for (let next = open.shift(); next !== undefined; next = open.shift())
    for (const name of next.mentions) {
      const other = await declarationOf(next.file, name);
      if (other === undefined || everywhere.has(keyOf(other)) || found.has(keyOf(other))) continue;
      const whole = await withMembers(other);
      found.set(keyOf(other), whole);
      open.push(whole);
    }
  return [...found.values()];
}

function section(title, declarations) {
  if (declarations.length === 0) return '';
  const parts = declarations.map(({ name, doc, code }) => [`### ${name}`, prose(doc), `\`\`\`ts\n${code}\n\`\`\``]);
  return [`## ${title}`, ...parts.flat()].filter((part) => part !== '').join('\n\n');
}

/** A docstring as Markdown: its tags as a list. */
function prose(doc) {
  const [text = '', ...tags] = `\n${doc}`.split(/^(?=@\w+)/m);
  const items = tags.map((tag) => {
    const [, kind = '', said = ''] = /^@(\w+)\s*([^]*)$/.exec(tag.trim()) ?? [];
    const line = said.replaceAll(/\s*\n\s*/g, ' ');
    return kind === 'param' ? `- ${line.replace(/^(\S+)/, '`$1`:')}` : `- ${WORDS[kind] ?? kind}: ${line}`;
  });
  return [text.trim(), items.join('\n')].filter((part) => part !== '').join('\n\n');
}
