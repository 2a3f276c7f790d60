import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { replaceFile } from '../../loader/write/replace-file.js';
import { inLine } from '../../runtime/image/file-url.js';
import { pictureName, type InputPicture } from '../inputs/input-picture.js';
import { isElsewhere } from '../inputs/picture-address.js';
import type { InputList } from '../run/input-list.js';
import type { RunFolder } from '../run/run-folder.js';
import type { ShardOutput } from '../run/shard-output.js';

const METADATA_FILE = 'metadata.jsonl';
const METADATA = /(?:^|[\\/])metadata\.(?:jsonl|csv|parquet)$/;
/** What loaders do not look into. */
const HIDDEN = /(?:^|[\\/])\./;

/** A name that the loader takes for a split's: it then keeps such pictures only, and drops their captions in silence. */
const SPLIT_WORD = /(^|[^a-z])(train|training|val|valid|validation|dev|test|testing|eval|evaluation)([^a-z]|$)/i;

const DESCRIPTION = /^( {2}description: captions )[0-9a-f]{16}$/m;

/**
 * Tells the loader that all pictures are one split, whatever their names. By such a file `datasets` takes two folders of one
 * name for the same, and one whose captions have changed, and gives what it has kept of the first: the description tells them apart.
 */
const oneSplit = (hash: string): string => `---
configs:
- config_name: default
  # Where you change captions by hand, change this too, or load_dataset gives those that it has kept.
  description: captions ${hash}
  data_files:
  - split: train
    path: '**'
---
`;

/**
 * One metadata.jsonl at the root of the pictures' own folder, as imagefolder reads it, made of all shards once they are there.
 * Pictures that failed are not listed: the loader would fail on them in the middle of a training.
 */
export class MetadataOutput implements ShardOutput {
  readonly #folder: RunFolder;
  readonly #mayOverwrite: boolean;

  /** @param mayOverwrite whether a metadata.jsonl that no run of ours has written may be replaced */
  constructor(folder: RunFolder, mayOverwrite: boolean) {
    this.#folder = folder;
    this.#mayOverwrite = mayOverwrite;
  }

  async checkFolder(): Promise<void> {
    const names = await readdir(this.#folder.path, { recursive: true });
    const others = names.filter((name) => METADATA.test(name) && !HIDDEN.test(name));
    const other = others.find((name) => name !== METADATA_FILE || !this.#mayOverwrite);
    if (other === undefined) return;
    throw new Blip2Error('OUTPUT_EXISTS', `${this.#folder.path} has a ${other} already`, {
      hint:
        other === METADATA_FILE
          ? 'Write over it with --existing overwrite, or move it away.'
          : other === basename(other)
            ? 'Move it away: loaders refuse two kinds of metadata in one folder.'
            : 'Move it away: loaders take the rows of both, and so its pictures twice.',
    });
  }

  /** The picture as the file names it: only those below its folder have a name. */
  target(picture: InputPicture): string {
    const path = 'parquet' in picture || 'tar' in picture ? null : (picture.path ?? picture.name);
    if (path !== null && !isElsewhere(path)) {
      const inside = relative(resolve(this.#folder.path), resolve(path));
      if (!isAbsolute(inside) && inside !== '..' && !inside.startsWith(`..${sep}`)) return named(inside);
    }
    const message = `${pictureName(picture)} is not below ${this.#folder.path}, so metadata.jsonl there cannot name it`;
    throw new Blip2Error('OUTPUT_IMPOSSIBLE', message, {
      hint: "Give the pictures' own folder with --out, or choose --format webdataset or parquet.",
    });
  }

  async finish(list: InputList): Promise<void> {
    let hasSplitWord = false;
    const hash = createHash('sha256').update(resolve(this.#folder.path));
    await replaceFile(join(this.#folder.path, METADATA_FILE), async (handle) => {
      for (let shard = 0; shard < list.shards; shard++) {
        const [pictures, records] = [await list.read(shard), (await this.#folder.readRecords(shard)) ?? []];
        const rows = pictures.flatMap((picture, position) => {
          const text = records[position]?.text ?? null;
          return text === null ? [] : [{ file_name: this.target(picture), text }];
        });
        hasSplitWord ||= rows.some((row) => SPLIT_WORD.test(row.file_name));
        const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
        hash.update(text);
        await handle.appendFile(text);
      }
    });
    if (hasSplitWord) await this.#stateOneSplit(hash.digest('hex').slice(0, 16));
  }

  async #stateOneSplit(hash: string): Promise<void> {
    const path = join(this.#folder.path, 'README.md');
    const known = await readFile(path, 'utf8').catch(() => null);
    const text = known === null ? oneSplit(hash) : known.replace(DESCRIPTION, `$1${hash}`);
    if (known === null || DESCRIPTION.test(known)) return replaceFile(path, (handle) => handle.writeFile(text));
    if (/^---\n[^]*?\bdata_files\b[^]*?\n---/.test(known)) return;
    throw new Blip2Error(
      'OUTPUT_EXISTS',
      `${path} does not state which pictures are data, and some have names of splits`,
      {
        hint: `metadata.jsonl is written. Put this on top of that README.md, or loaders drop captions:\n${oneSplit(hash)}`,
      },
    );
  }
}

/** With `/` between folders. Loaders take any other separator of any system for that, too. */
function named(inside: string): string {
  const name = inside.replaceAll(sep, '/');
  if (!name.includes('\\')) return name;
  throw new Blip2Error('OUTPUT_IMPOSSIBLE', `loaders take the backslash in ${inLine(inside)} for a folder`, {
    hint: 'Rename it, or choose --format jsonl, webdataset or parquet.',
  });
}
