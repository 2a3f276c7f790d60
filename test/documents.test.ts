/** What documents name is there: links, and files and folders of the tree, whole or by the end of their path. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './cli/command.js';

const NOT_OURS = /^(node_modules|dist|\.git|docs\/api|test\/fixtures)(\/|$)/;

/** Files and folders of the tree. */
const paths = ['', ...below('')];

function below(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (NOT_OURS.test(path)) return path === 'docs/api' || path === 'test/fixtures' ? everything(path) : [];
    return entry.isDirectory() ? [path, ...below(path)] : [path];
  });
}

function everything(folder: string): string[] {
  const inside = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return [folder, ...inside.map((name) => join(folder, name))];
}

const ends = new Set(paths.flatMap((path) => path.split('/').map((_, i, names) => names.slice(i).join('/'))));
const names = new Set(paths.flatMap((path) => path.split('/')));

/** `planner/price` and `known-devices.ts`, but neither `owner/name` nor `out/00000.jsonl`. */
function isPath(words: string): boolean {
  if (!/^[\w.-]+(\/[\w.-]+)*\/?$/.test(words)) return false;
  const [first = ''] = words.split('/');
  return words.includes('/')
    ? names.has(first) && /^[a-z.]/.test(first)
    : /^[a-z].*\.(ts|tsx|mjs|py|sh|yml)$/.test(words);
}

const documents = paths.filter((path) => path.endsWith('.md') && !NOT_OURS.test(path));

it.each(documents)('%s names what is there', (document) => {
  const text = readFileSync(join(ROOT, document), 'utf8').replaceAll(/^```.*?^```$/gms, '');
  const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link = '']) =>
    normalize(join(dirname(document), link)),
  );
  const named = [...text.matchAll(/`([^`\n]+)`/g)].map(([, words = '']) => words).filter(isPath);
  expect(links.filter((link) => !paths.includes(link.replace(/\/$/, '')))).toEqual([]);
  expect(named.filter((path) => !ends.has(path.replace(/\/$/, '')))).toEqual([]);
});
