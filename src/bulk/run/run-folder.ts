/** Names inside the folder of a run. What is not an answer lies in a hidden folder: loaders of data sets read all the others. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists } from '../../loader/file/exists.js';
import { makeFolder } from '../../loader/file/make-folder.js';
import { Blip2Error, reasonOf } from '../../errors.js';
import { replaceFile } from '../../loader/write/replace-file.js';
import { removeAbandonedFiles } from '../../loader/write/temporary-file.js';
import { parseRecords, type CaptionRecord } from '../caption-record.js';
import { RunLock, type Slice } from './run-lock.js';
import { PictureSpool } from './picture-spool.js';
import { ShardJournal } from './shard-journal.js';

export const STATE_FOLDER = '.blip2-run';
/** Files of shards that are not finished; journals and pictures may have their writer's name in theirs. */
const ON_THE_WAY = /^(\d{5,})\.(?:(?:[\w-]+\.)?(?:journal|pictures)|pending)$/;

/** Of files that are of one shard each. */
export type ShardExtension = 'jsonl' | 'tar' | 'parquet';

export class RunFolder implements AsyncDisposable {
  /** Where files are written on this machine. */
  readonly path: string;
  /** What messages call it. */
  readonly name: string;
  protected readonly extension: ShardExtension | null;
  readonly #state: string;
  #key: string | undefined;
  #lock: RunLock | undefined;

  /** @param extension of the file that the run writes for each shard: of `jsonl` it is the records; null where it writes others */
  constructor(path: string, extension: ShardExtension | null) {
    this.path = path;
    this.name = path;
    this.#state = join(path, STATE_FOLDER);
    this.extension = extension;
  }

  /** Has what is on its way named by its run: another one that takes this folder's place does not go on from it. */
  nameBy(key: string): void {
    this.#key = key;
  }

  get inputList(): string {
    return join(this.#state, 'inputs.jsonl');
  }

  /** A shard is finished once this file is there, and as long as what the run writes for it is. */
  recordsFile(shard: number): string {
    return join(this.extension === 'jsonl' ? this.path : this.#state, `${shardName(shard)}.jsonl`);
  }

  outputFile(shard: number, extension: string): string {
    return join(this.path, `${shardName(shard)}.${extension}`);
  }

  /** Where a file that an earlier writing of a shard has made can be read; null where there is none. */
  async writtenFile(shard: number, extension: string): Promise<string | null> {
    const path = this.outputFile(shard, extension);
    return (await exists(path)) ? path : null;
  }

  /**
   * Records of a shard that is not finished.
   * @param writer one of several processes that may have the shard at the same time
   */
  async journal(shard: number, writer?: string): Promise<ShardJournal> {
    const name = this.#ownName(shard, writer, 'journal');
    const isOther = (other: string) =>
      other !== name && other.startsWith(`${shardName(shard)}.${this.#key ?? ''}`) && other.endsWith('.journal');
    const others = (await this.#stateOf(shard)).filter(isOther);
    return new ShardJournal(
      join(this.#state, name),
      others.map((other) => join(this.#state, other)),
    );
  }

  /** Pictures of a shard that is not finished. @param writer as for `journal` */
  spool(shard: number, writer?: string): PictureSpool {
    return new PictureSpool(join(this.#state, this.#ownName(shard, writer, 'pictures')));
  }

  /** Files that a shard is about to write, with all of their text. */
  pendingFile(shard: number): string {
    return join(this.#state, `${shardName(shard)}.pending`);
  }

  /** @returns null where there is no such file */
  readStateFile(name: string): Promise<string | null> {
    return readFile(join(this.#state, name), 'utf8').catch(() => null);
  }

  writeStateFile(name: string, text: string): Promise<void> {
    return replaceFile(join(this.#state, name), (handle) => handle.writeFile(text));
  }

  /** Writes a file that is not there; where somebody else has made it meanwhile, theirs stays. */
  createStateFile(name: string, text: string): Promise<void> {
    const isGood = () => exists(join(this.#state, name));
    return replaceFile(join(this.#state, name), (handle) => handle.writeFile(text), { isGood });
  }

  /** Writes a file beside those of shards, unless one of that name is there. */
  async createFile(name: string, text: string): Promise<void> {
    const path = join(this.path, name);
    if (!(await exists(path))) await replaceFile(path, (handle) => handle.writeFile(text));
  }

  /** Lets others see the list of pictures, once it is written. */
  async publishInputList(): Promise<void> {
    // They see the folder.
  }

  /** Has the list of pictures here that another process has made. */
  async fetchInputList(): Promise<void> {
    // It is here.
  }

  /** Makes the folders, and removes what killed runs have left half-written. */
  async prepare(): Promise<void> {
    await makeFolder(this.#state);
    for (const folder of [this.path, this.#state]) await removeAbandonedFiles(folder);
  }

  /**
   * Keeps shards from other runs until they are released. One at a time.
   * @throws Blip2Error `RUN_BUSY` where another run has some of them
   */
  async hold(slice: Slice): Promise<void> {
    this.#lock = (await RunLock.take(this.#state, slice)) ?? undefined;
    if (this.#lock === undefined) throw this.#busy();
  }

  async release(): Promise<void> {
    await this.#lock?.[Symbol.asyncDispose]();
    this.#lock = undefined;
  }

  /** @throws Blip2Error `RUN_BUSY` where anybody else is at work here, on whatever shards */
  async refuseOthersAtWork(): Promise<void> {
    if (await RunLock.isShared(this.#state, this.#lock)) throw this.#busy();
  }

  #busy(): Blip2Error {
    return new Blip2Error('RUN_BUSY', `another run is at work in ${this.name}, on the same shards or other pictures`, {
      hint: 'Wait until it ends. Runs that are to share the work get --shard i/n each.',
    });
  }

  /** Shards whose files are there although no run is known. */
  async unknownOutputs(): Promise<string[]> {
    return (await readdir(this.path)).filter((name) => shardOf(name) !== null);
  }

  async finishedShards(): Promise<Set<number>> {
    const names = await readdir(dirname(this.recordsFile(0)));
    return this.finishedAmong(names, await readdir(this.path));
  }

  /** @param names of files beside records, and `outputs` of those beside what the run writes */
  protected finishedAmong(names: readonly string[], outputs: readonly string[]): Set<number> {
    const { extension } = this;
    const written = extension === null ? null : shardsAmong(outputs, extension);
    return new Set([...shardsAmong(names, 'jsonl')].filter((shard) => written?.has(shard) ?? true));
  }

  async isFinished(shard: number): Promise<boolean> {
    return (await exists(this.recordsFile(shard))) && (await this.hasOutput(shard));
  }

  /** Whether what the run writes for a shard that has records is still there. */
  protected async hasOutput(shard: number): Promise<boolean> {
    const { extension } = this;
    return extension === null || extension === 'jsonl' || (await this.writtenFile(shard, extension)) !== null;
  }

  /**
   * @returns null where the shard is not finished
   * @throws Blip2Error `RUN_INVALID` where the file has been changed into something else
   */
  async readRecords(shard: number): Promise<CaptionRecord[] | null> {
    const file = this.recordsFile(shard);
    const text = await readFile(file, 'utf8').catch(() => null);
    return text === null || !(await this.hasOutput(shard)) ? null : parseRecords(text, file);
  }

  async writeRecords(shard: number, records: readonly CaptionRecord[]): Promise<void> {
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join('');
    await replaceFile(this.recordsFile(shard), (handle) => handle.writeFile(text));
    await this.removeStateOf(shard);
  }

  /** Removes what a finished shard needed on its way. */
  async removeStateOf(shard: number): Promise<void> {
    for (const name of await this.#stateOf(shard)) await rm(join(this.#state, name), { force: true });
  }

  /** Removes what runs have left of finished shards that were killed between two steps. */
  async removeLeftOvers(finished: ReadonlySet<number>): Promise<void> {
    for (const name of await this.#stateNames()) {
      const shard = ON_THE_WAY.exec(name)?.[1];
      if (shard !== undefined && finished.has(Number(shard))) await rm(join(this.#state, name), { force: true });
    }
  }

  /** Forgets what was done of another list of pictures. */
  async forget(): Promise<void> {
    for (const name of await this.#stateNames()) {
      if (/^\d{5,}\.jsonl$/.test(name) || ON_THE_WAY.test(name)) await rm(join(this.#state, name));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What is in it stays.
  }

  async #stateNames(): Promise<string[]> {
    return readdir(this.#state).catch((cause: unknown) => {
      throw new Blip2Error('RUN_MISSING', `${this.name} no longer holds its run: ${reasonOf(cause)}`, {
        hint: 'See that the folder is there.',
        cause,
      });
    });
  }

  #ownName(shard: number, writer: string | undefined, extension: string): string {
    const owner = [this.#key, writer].filter((part) => part !== undefined).join('-');
    return [shardName(shard), owner, extension].filter((part) => part !== '').join('.');
  }

  async #stateOf(shard: number): Promise<string[]> {
    return (await this.#stateNames()).filter((name) => ON_THE_WAY.exec(name)?.[1] === shardName(shard));
  }
}

/** The shards that have a file with this extension. */
function shardsAmong(names: readonly string[], extension: ShardExtension): Set<number> {
  return new Set(names.flatMap((name) => (name.endsWith(`.${extension}`) ? (shardOf(name) ?? []) : [])));
}

/** The shard that a file is of; null for any other name. */
export function shardOf(name: string): number | null {
  const shard = /^(\d{5,})\.(?:jsonl|tar|parquet)$/.exec(name)?.[1];
  return shard === undefined ? null : Number(shard);
}

const shardName = (shard: number): string => String(shard).padStart(5, '0');
