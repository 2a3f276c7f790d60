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

export interface HubRepository {
  /** Configuration and index are downloaded; of a shard that is not in the cache only the header is read. */
  open(): Promise<Checkpoint>;
  /** Puts files into the cache, one after the other: the largest ones fill the connection each. */
  download(names: readonly string[], options?: DownloadManyOptions): Promise<void>;
  /** What a checkpoint needs beside its weights: configuration, tokenizers, templates. */
  sideFiles(): string[];
}

/** Looks up the commit of a revision and the files it has: two requests. */
export async function connectRepository(repo: string, revision: string, settings: HubSettings): Promise<HubRepository> {
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

  const fileOf = (name: string): RemoteFile => {
    const file = files.get(name);
    if (file !== undefined) return file;
    throw new SafetensorsError('MISSING_SHARD', repo, `has no file ${name} at ${commit}`, {
      details: { missing: [name] },
    });
  };
  const checkSize = (name: string): void => {
    const { sizeBytes } = fileOf(name);
    if (!isSideFile(name) || sizeBytes <= MAX_SIDE_FILE_BYTES) return;
    throw new Blip2Error(
      'HUB_FAILED',
      `${repo}/${name} has ${sizeBytes} bytes; at most ${MAX_SIDE_FILE_BYTES} are fetched of a file that holds no weights`,
    );
  };
  const openShard = async (name: string): Promise<OpenShard> =>
    (await cache.has(commit, name))
      ? openLocalShard(join(cache.snapshot(commit), name), name)
      : openShardSource(fileOf(name), name);
  const download = async (
    names: readonly string[],
    { signal, onProgress }: DownloadManyOptions = {},
  ): Promise<void> => {
    const wanted: string[] = [];
    for (const name of names) checkSize(name);
    for (const name of names) if (!(await cache.has(commit, name))) wanted.push(name);
    const totalBytes = wanted.reduce((sum, name) => sum + fileOf(name).sizeBytes, 0);
    let before = 0;
    for (const name of wanted) {
      const remote = fileOf(name);
      const blob = cache.blob(remote.hash);
      if (!(await exists(blob))) {
        await downloadFile(remote, blob, { signal, onProgress: (done) => onProgress?.(before + done, totalBytes) });
      }
      await cache.link(commit, name, remote.hash);
      before += remote.sizeBytes;
    }
  };
  return {
    async open() {
      const found = { folder: cache.snapshot(commit), ...pickWeights([...files.keys()], repo) };
      if (!found.hasConfig) await cache.setAbsent(commit, 'config.json');
      await download([...(found.hasConfig ? ['config.json'] : []), ...(found.isIndex ? [found.name] : [])]);
      return { ...(await openFound(found, openShard)), hub: { repo, revision, commit } };
    },
    download,
    sideFiles: () =>
      [...files].flatMap(([name, { sizeBytes }]) =>
        isSideFile(name) && sizeBytes <= MAX_SIDE_FILE_BYTES ? [name] : [],
      ),
  };
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
