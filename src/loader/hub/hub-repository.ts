/** One commit of a model repository: its files, in the cache or at the hub. */
import { join } from 'node:path';
import { Blip2Error } from '../../errors.js';
import type { OpenShard } from '../checkpoint/check-index.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { pickWeights } from '../checkpoint/pick-weights.js';
import { openFound, openLocalShard, openShardSource } from '../checkpoint/open-found.js';
import { exists } from '../file/exists.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { isSideFile, MAX_SIDE_FILE_BYTES } from '../shard/side-files.js';
import { downloadFile, type DownloadOptions } from './download-file.js';
import { HubCache } from './hub-cache.js';
import { commitOf, listFiles } from './hub-listing.js';
import { HubRequests } from './hub-request.js';
import type { HubSettings } from './hub-settings.js';
import { RemoteFile } from './remote-file.js';

export class HubRepository {
  readonly #repo: string;
  readonly #revision: string;
  readonly #commit: string;
  readonly #files: ReadonlyMap<string, RemoteFile>;
  readonly #cache: HubCache;

  private constructor(
    repo: string,
    revision: string,
    commit: string,
    files: ReadonlyMap<string, RemoteFile>,
    cache: HubCache,
  ) {
    this.#repo = repo;
    this.#revision = revision;
    this.#commit = commit;
    this.#files = files;
    this.#cache = cache;
  }

  /** Looks up the commit of a revision and the files it has: two requests. */
  static async connect(repo: string, revision: string, settings: HubSettings): Promise<HubRepository> {
    const { endpoint, cacheFolder } = settings;
    const requests = new HubRequests(settings);
    const commit = await commitOf(requests, repo, revision);
    const files = new Map<string, RemoteFile>();
    for (const { path, sizeBytes, hash } of await listFiles(requests, repo, commit)) {
      const address = `${endpoint}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
      files.set(path, new RemoteFile({ name: `${repo}/${path}`, address, sizeBytes, hash, requests }));
    }
    const cache = new HubCache(cacheFolder, repo);
    await cache.setCommit(revision, commit);
    return new HubRepository(repo, revision, commit, files, cache);
  }

  /** Configuration and index are downloaded; of a shard that is not in the cache only the header is read. */
  async open(): Promise<Checkpoint> {
    const found = { folder: this.#cache.snapshot(this.#commit), ...pickWeights([...this.#files.keys()], this.#repo) };
    if (!found.hasConfig) await this.#cache.setAbsent(this.#commit, 'config.json');
    await this.download([...(found.hasConfig ? ['config.json'] : []), ...(found.isIndex ? [found.name] : [])]);
    const checkpoint = await openFound(found, (name) => this.#openShard(name));
    return { ...checkpoint, hub: { repo: this.#repo, revision: this.#revision, commit: this.#commit } };
  }

  async #openShard(name: string): Promise<OpenShard> {
    if (await this.#cache.has(this.#commit, name))
      return openLocalShard(join(this.#cache.snapshot(this.#commit), name), name);
    return openShardSource(this.#file(name), name);
  }

  /** Puts files into the cache, one after the other: the largest ones fill the connection each. */
  async download(names: readonly string[], { signal, onProgress }: DownloadManyOptions = {}): Promise<void> {
    const wanted: string[] = [];
    for (const name of names) this.#checkSize(name);
    for (const name of names) if (!(await this.#cache.has(this.#commit, name))) wanted.push(name);
    const totalBytes = wanted.reduce((sum, name) => sum + this.#file(name).sizeBytes, 0);
    let before = 0;
    for (const name of wanted) {
      const remote = this.#file(name);
      const blob = this.#cache.blob(remote.hash);
      if (!(await exists(blob))) {
        await downloadFile(remote, blob, { signal, onProgress: (done) => onProgress?.(before + done, totalBytes) });
      }
      await this.#cache.link(this.#commit, name, remote.hash);
      before += remote.sizeBytes;
    }
  }

  /** What a checkpoint needs beside its weights: configuration, tokenizers, templates. */
  sideFiles(): string[] {
    return [...this.#files].flatMap(([name, { sizeBytes }]) =>
      isSideFile(name) && sizeBytes <= MAX_SIDE_FILE_BYTES ? [name] : [],
    );
  }

  #checkSize(name: string): void {
    const { sizeBytes } = this.#file(name);
    if (!isSideFile(name) || sizeBytes <= MAX_SIDE_FILE_BYTES) return;
    throw new Blip2Error(
      'HUB_FAILED',
      `${this.#repo}/${name} has ${sizeBytes} bytes; at most ${MAX_SIDE_FILE_BYTES} are fetched of a file that holds no weights`,
    );
  }

  #file(name: string): RemoteFile {
    const file = this.#files.get(name);
    if (file !== undefined) return file;
    throw new SafetensorsError('MISSING_SHARD', this.#repo, `has no file ${name} at ${this.#commit}`, {
      details: { missing: [name] },
    });
  }
}

export interface DownloadManyOptions {
  readonly signal?: DownloadOptions['signal'];
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** Nothing may be fetched, and the cache does not have it. */
export function offlineError(repo: string, revision: string, cacheFolder: string): Blip2Error {
  return new Blip2Error(
    'HUB_OFFLINE',
    `${repo} at ${revision} is not whole in ${cacheFolder}, and HF_HUB_OFFLINE forbids fetching it`,
    { hint: 'Unset HF_HUB_OFFLINE, or download it where there is a network.' },
  );
}
