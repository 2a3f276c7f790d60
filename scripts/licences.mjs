/** The licences of packages whose files go into what this one ships. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The folder of the package that a file belongs to. */
const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/;

/** @param inputs paths of files, relative to `root` */
export async function licences(root, inputs) {
  const folders = new Set(inputs.flatMap((path) => PACKAGE.exec(path)?.[0] ?? []));
  const texts = new Map();
  for (const folder of [...folders].sort((a, b) => a.localeCompare(b))) {
    const files = inputs.filter((path) => path.startsWith(`${folder}/`));
    const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
    texts.set(
      `${name} ${version} (${license})`,
      (await licenceFile(join(root, folder))) ?? (await notices(root, folder, files)),
    );
  }
  return [...texts].map(([title, text]) => `${title}\n\n${text.trim()}\n`).join(`\n${'-'.repeat(80)}\n\n`);
}

async function licenceFile(folder) {
  for (const name of ['LICENSE', 'LICENSE.txt', 'LICENSE.md', 'license']) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => null);
    if (text !== null) return text;
  }
  return null;
}

/** Of a package without a licence file: what its files state on top, once each. */
async function notices(root, folder, files) {
  const found = new Set();
  for (const file of files) {
    const [top] = /^(?:\/\/.*\n)*/.exec(await readFile(join(root, file), 'utf8')) ?? [];
    if (top?.includes('Copyright')) found.add(top.replaceAll(/^\/\/ ?/gm, ''));
  }
  if (found.size === 0) throw new Error(`${folder} states no licence`);
  return [...found].join('\n');
}
