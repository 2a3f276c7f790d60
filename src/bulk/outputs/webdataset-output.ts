import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { pack, type Pack } from 'tar-stream';
import { replaceFile } from '../../loader/write/replace-file.js';
import type { CaptionRecord } from '../caption-record.js';
import type { TarPicture } from '../inputs/input-picture.js';
import { tarPictures } from '../inputs/tar-input.js';
import type { InputList } from '../run/input-list.js';
import type { RunFolder } from '../run/run-folder.js';
import { RECORD_FEATURES, stateTypes } from './data-set-card.js';
import type { PictureSettings } from '../inputs/picture-reader.js';
import { pictureRows, type PictureRow } from './picture-rows.js';
import type { FinishedShard, ShardOutput } from '../run/shard-output.js';

/** The same bytes for the same captions: not the time of writing. */
const MTIME = new Date(0);

/** `datasets` takes types from so many samples of the first archive. */
const TYPES_FROM = 5;
/** Of the members beside the picture, and of what loaders add. */
const FEATURES = [
  { name: 'json', struct: RECORD_FEATURES },
  ...['txt', '__key__', '__url__'].map((name) => ({ name, dtype: 'string' })),
];

/**
 * A tar archive per shard, with the picture, its caption as text and its record as JSON. Keys are positions in the run:
 * names are not unique, and what follows their first dot would be read as a field. Pictures that failed are left out,
 * because loaders want the same members of every sample; their records lie in the run's folder.
 */
export class WebdatasetOutput implements ShardOutput {
  readonly holdsPictures = true;
  readonly #folder: RunFolder;
  readonly #pictureField: () => string;
  readonly #settings: PictureSettings;

  /** @param pictureField extension of all pictures: loaders take one for a field of its own, and look at the bytes */
  constructor(folder: RunFolder, pictureField: () => string, settings: PictureSettings = {}) {
    this.#folder = folder;
    this.#pictureField = pictureField;
    this.#settings = settings;
  }

  async write(shard: FinishedShard): Promise<CaptionRecord[]> {
    const records: CaptionRecord[] = [];
    await replaceFile(this.#folder.outputFile(shard.shard, 'tar'), async (handle) => {
      const archive = pack();
      const written = writeChunks(archive, handle);
      try {
        for await (const row of pictureRows(shard, this.#settings, await this.#earlier(shard))) {
          records.push(row.record);
          // Where writing has failed, nobody takes what is added.
          await Promise.race([this.#add(archive, row, shard.first), written]);
        }
        archive.finalize();
      } catch (error) {
        archive.destroy();
        await written.catch(() => undefined);
        throw error;
      }
      await written;
    });
    return records;
  }

  finish(list: InputList): Promise<void> {
    const features = [{ name: this.#pictureField(), dtype: 'image' }, ...FEATURES];
    return stateTypes(this.#folder, list, beginning, features);
  }

  async #earlier({ shard, first, kept }: FinishedShard): Promise<Map<number, TarPicture>> {
    const earlier = new Map<number, TarPicture>();
    const tar = kept.size === 0 ? null : await this.#folder.writtenFile(shard, 'tar');
    if (tar === null) return earlier;
    for await (const picture of tarPictures(tar)) {
      const position = Number.parseInt(picture.name, 10) - first;
      if (kept.has(position)) earlier.set(position, picture);
    }
    return earlier;
  }

  async #add(archive: Pack, { position, record, bytes }: PictureRow, first: number): Promise<void> {
    if (bytes === null || record.text === null) return;
    const key = String(first + position).padStart(9, '0');
    const { file_name, archive: source = null, row = null, text, tokens, answers = null } = record;
    const json = JSON.stringify({ file_name, archive: source, row, text, tokens, answers });
    await addMember(archive, `${key}.${this.#pictureField()}`, bytes);
    await addMember(archive, `${key}.json`, Buffer.from(json));
    await addMember(archive, `${key}.txt`, Buffer.from(text));
  }
}

const beginning = (records: readonly CaptionRecord[]): CaptionRecord[] =>
  records.filter(({ text }) => text !== null).slice(0, TYPES_FROM);

/** Waits for what is in memory to be written before more is added. */
async function addMember(archive: Pack, name: string, bytes: Uint8Array): Promise<void> {
  const entry = archive.entry({ name, size: bytes.length, mtime: MTIME });
  entry.end(bytes);
  await once(entry, 'finish');
}

async function writeChunks(archive: Pack, handle: FileHandle): Promise<void> {
  for await (const chunk of archive) {
    // The library's types do not say what it gives.
    if (!(chunk instanceof Uint8Array)) throw new TypeError('an archive is bytes');
    await handle.appendFile(chunk);
  }
}
