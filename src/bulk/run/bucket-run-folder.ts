import { readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseRecords, type CaptionRecord } from '../caption-record.js';
import { LocalFolder } from './local-folder.js';
import { RunFolder, shardOf, STATE_FOLDER, type ShardExtension } from './run-folder.js';
import { Bucket, parseBucketUrl } from '../bucket/bucket.js';

/**
 * A run in a bucket. What is on its way lies in a folder of this machine alone; a shard's files go up whole, its records last:
 * they say that it is finished.
 */
export class BucketRunFolder extends RunFolder {
  override readonly name: string;
  readonly #local: LocalFolder;
  readonly #bucket: Bucket;
  readonly #prefix: string;

  private constructor(local: LocalFolder, url: string, bucket: Bucket, extension: ShardExtension) {
    super(local.path, extension);
    this.#local = local;
    this.name = url;
    this.#bucket = bucket;
    const { key } = parseBucketUrl(url);
    this.#prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
  }

  /** @throws Blip2Error `PACKAGE_MISSING`, `INPUT_INVALID` for what is no URL of a bucket */
  static async open(url: string, extension: ShardExtension): Promise<BucketRunFolder> {
    const bucket = await Bucket.open(parseBucketUrl(url).bucket);
    return new BucketRunFolder(await LocalFolder.make(), url, bucket, extension);
  }

  override async writtenFile(shard: number, extension: string): Promise<string | null> {
    const key = this.#prefix + basename(this.outputFile(shard, extension));
    return (await this.#bucket.exists(key)) ? `s3://${this.#bucket.name}/${key}` : null;
  }

  override readStateFile(name: string): Promise<string | null> {
    return this.#bucket.readText(this.#state(name));
  }

  override writeStateFile(name: string, text: string): Promise<void> {
    return this.#bucket.write(this.#state(name), text);
  }

  override async createStateFile(name: string, text: string): Promise<void> {
    await this.#bucket.create(this.#state(name), text);
  }

  override async createFile(name: string, text: string): Promise<void> {
    await this.#bucket.create(this.#prefix + name, text);
  }

  override async publishInputList(): Promise<void> {
    await this.#bucket.upload(this.#state(basename(this.inputList)), this.inputList);
  }

  override async fetchInputList(): Promise<void> {
    const bytes = await this.#bucket.read(this.#state(basename(this.inputList)));
    await writeFile(this.inputList, bytes ?? '');
  }

  override async unknownOutputs(): Promise<string[]> {
    const names: string[] = [];
    for await (const key of this.#bucket.list(this.#prefix)) names.push(key.slice(this.#prefix.length));
    return names.filter((name) => shardOf(name) !== null);
  }

  override async finishedShards(): Promise<Set<number>> {
    const state = this.#state('');
    const [inState, outputs]: [string[], string[]] = [[], []];
    for await (const key of this.#bucket.list(this.#prefix)) {
      if (key.startsWith(state)) inState.push(key.slice(state.length));
      else outputs.push(key.slice(this.#prefix.length));
    }
    return this.finishedAmong(this.extension === 'jsonl' ? outputs : inState, outputs);
  }

  override async isFinished(shard: number): Promise<boolean> {
    return (await this.#bucket.exists(this.#records(shard))) && (await this.hasOutput(shard));
  }

  override async readRecords(shard: number): Promise<CaptionRecord[] | null> {
    const key = this.#records(shard);
    const text = await this.#bucket.readText(key);
    return text === null || !(await this.hasOutput(shard))
      ? null
      : parseRecords(text, `s3://${this.#bucket.name}/${key}`);
  }

  override async writeRecords(shard: number, records: readonly CaptionRecord[]): Promise<void> {
    await super.writeRecords(shard, records);
    const local = this.recordsFile(shard);
    for (const name of await readdir(this.path)) {
      const path = join(this.path, name);
      if (shardOf(name) !== shard || path === local) continue;
      await this.#bucket.upload(this.#prefix + name, path);
      await rm(path);
    }
    await this.#bucket.upload(this.#records(shard), local);
    await rm(local);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.#bucket.close();
    await this.#local[Symbol.asyncDispose]();
  }

  #state(name: string): string {
    return `${this.#prefix}${STATE_FOLDER}/${name}`;
  }

  #records(shard: number): string {
    const name = basename(this.recordsFile(shard));
    return this.extension === 'jsonl' ? this.#prefix + name : this.#state(name);
  }
}
