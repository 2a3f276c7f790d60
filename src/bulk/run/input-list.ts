/** The pictures of a run as one file, a line each; a shard is a stretch of it, so that a run of any size holds none of them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { Blip2Error, reasonOf } from '../../errors.js';
import { readLines } from '../../loader/file/read-lines.js';
import { writeFailure } from '../../loader/file/write-failure.js';
import { TemporaryFile } from '../../loader/write/temporary-file.js';
import { parseInputPicture, type InputPicture } from '../inputs/input-picture.js';

const BUFFER_CHARACTERS = 1 << 16;

export class InputList {
  readonly pictures: number;
  /** SHA-256 of the file. */
  readonly hash: string;
  readonly #path: string;
  /** Where each shard begins, and where the last one ends. */
  readonly #offsets: readonly number[];

  private constructor(path: string, pictures: number, hash: string, offsets: readonly number[]) {
    this.#path = path;
    this.pictures = pictures;
    this.hash = hash;
    this.#offsets = offsets;
  }

  get shards(): number {
    return this.#offsets.length - 1;
  }

  /** How many pictures a shard has: the last one may have fewer than the others. */
  shardPictures(shard: number, shardSize: number): number {
    return Math.min(shardSize, this.pictures - shard * shardSize);
  }

  /**
   * Writes the list of these pictures.
   * @param accept is asked before a file of that name is replaced, and told where the list lies till then; what it throws leaves that
   *   file as it was
   */
  static async write(
    path: string,
    pictures: AsyncIterable<InputPicture>,
    shardSize: number,
    accept: (list: InputList, path: string) => Promise<void>,
  ): Promise<InputList> {
    const notWritten = (error: unknown): never => {
      throw writeFailure(path, error);
    };
    await using temporary = await TemporaryFile.beside(path).catch(notWritten);
    const hash = createHash('sha256');
    const offsets: number[] = [];
    let [count, offset, buffered] = [0, 0, ''];
    const flush = async () => {
      const bytes = Buffer.from(buffered);
      hash.update(bytes);
      offset += bytes.length;
      await temporary.handle.appendFile(bytes).catch(notWritten);
      buffered = '';
    };
    for await (const picture of pictures) {
      if (count % shardSize === 0 || buffered.length > BUFFER_CHARACTERS) await flush();
      if (count % shardSize === 0) offsets.push(offset);
      buffered += `${JSON.stringify(picture)}\n`;
      count += 1;
    }
    await flush();
    const list = new InputList(path, count, hash.digest('hex'), [...offsets, offset]);
    await accept(list, temporary.path);
    await temporary.finish().catch(notWritten);
    await rename(temporary.path, path).catch(notWritten);
    return list;
  }

  /**
   * A list that is there.
   * @param onPicture called for each picture, in order
   */
  static async open(path: string, shardSize: number, onPicture: (picture: InputPicture) => void): Promise<InputList> {
    const hash = createHash('sha256');
    const offsets: number[] = [];
    let [count, offset] = [0, 0];
    for await (const line of readLines(createReadStream(path))) {
      if (count % shardSize === 0) offsets.push(offset);
      onPicture(parseInputPicture(line));
      const bytes = Buffer.from(`${line}\n`);
      hash.update(bytes);
      offset += bytes.length;
      count += 1;
    }
    return new InputList(path, count, hash.digest('hex'), [...offsets, offset]);
  }

  /**
   * The pictures of a shard.
   * @throws Blip2Error `RUN_MISSING`, `RUN_INVALID` where the list has gone or changed
   */
  async read(shard: number): Promise<InputPicture[]> {
    const [begin, end] = [this.#offsets[shard], this.#offsets[shard + 1]];
    if (begin === undefined || end === undefined) throw new RangeError(`there is no shard ${shard}`);
    const handle = await open(this.#path, 'r').catch((cause: unknown) => {
      throw new Blip2Error('RUN_MISSING', `the run's list of pictures cannot be read: ${reasonOf(cause)}`, {
        hint: 'See that its folder is still there.',
        cause,
      });
    });
    try {
      const bytes = Buffer.alloc(end - begin);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, begin);
      return bytes.subarray(0, bytesRead).toString().trimEnd().split('\n').map(parseInputPicture);
    } catch (cause) {
      throw new Blip2Error('RUN_INVALID', `${this.#path} is not the list that the run has read`, { cause });
    } finally {
      await handle.close();
    }
  }
}
