/** Checkpoints by their name on the hub: the cache first, and of the hub only what is asked for. */
import { found } from '../../checked-access.js';
import { tensorOf, type Checkpoint } from '../checkpoint/checkpoint.js';
import { openLocal } from '../checkpoint/open-found.js';
import { exists } from '../file/exists.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { HubCache } from './hub-cache.js';
import { connectRepository, offlineError, type DownloadManyOptions } from './hub-repository.js';
import { hubSettings, type HubOptions, type HubSettings, type OpenOptions } from './hub-settings.js';

/**
 * @param repo `owner/name`.
 * @throws Blip2Error `HUB_NOT_FOUND`, `HUB_UNAUTHORIZED`, `HUB_RATE_LIMITED`, `HUB_UNREACHABLE`, `HUB_FAILED`, `HUB_OFFLINE`.
 */
export async function openHubCheckpoint(repo: string, options: OpenOptions = {}): Promise<Checkpoint> {
  const { revision = 'main' } = options;
  const settings = await hubSettings(options);
  const cached = await openCached(repo, revision, settings);
  if (cached !== null) return cached;
  if (settings.offline) throw offlineError(repo, revision, settings.cacheFolder);
  return (await connectRepository(repo, revision, settings)).open();
}

/**
 * The cache's snapshot; null where there is none or a file of it is missing: the configuration too, unless the commit is known
 * to have none. Weights alone are what `hf download` and `hf_hub_download` leave where they were asked for them alone.
 */
async function openCached(
  repo: string,
  revision: string,
  { cacheFolder, offline }: HubSettings,
): Promise<Checkpoint | null> {
  const cache = new HubCache(cacheFolder, repo);
  const commit = await cache.commitOf(revision);
  if (commit === undefined || !(await exists(cache.snapshot(commit)))) return null;
  try {
    const checkpoint = await openLocal(cache.snapshot(commit));
    const isWhole = checkpoint.config !== null || offline || (await cache.isAbsent(commit, 'config.json'));
    return isWhole ? { ...checkpoint, hub: { repo, revision, commit } } : null;
  } catch (error) {
    if (error instanceof SafetensorsError && (error.code === 'MISSING_SHARD' || error.code === 'CHECKPOINT_NOT_FOUND'))
      return null;
    throw error;
  }
}

/**
 * The checkpoint with every file on this machine that these tensors lie in; the other shards stay where they are. The
 * small files (tokenizer, processor) come too. For a checkpoint that is not from the hub, nothing is to be done.
 * @throws SafetensorsError `TENSOR_NOT_FOUND`, `IO_ERROR`; Blip2Error `HUB_*` as `openCheckpoint`; the signal's reason when aborted
 */
export async function downloadTensors(
  checkpoint: Checkpoint,
  names: Iterable<string>,
  options: HubOptions & DownloadManyOptions = {},
): Promise<Checkpoint> {
  const { hub } = checkpoint;
  if (hub === undefined) return checkpoint;
  const files = new Map(checkpoint.files.map(({ path, name }) => [path, name]));
  const wanted = new Set<string>();
  for (const name of names) {
    const { file } = tensorOf(checkpoint, name, hub.repo);
    if (isAddress(file)) wanted.add(found(files, file));
  }
  if (wanted.size === 0) return checkpoint;
  const settings = await hubSettings(options);
  if (settings.offline) throw offlineError(hub.repo, hub.revision, settings.cacheFolder);
  const repository = await connectRepository(hub.repo, hub.commit, settings);
  await repository.download([...repository.sideFiles(), ...wanted], options);
  return { ...(await repository.open()), hub };
}

/**
 * Has the small files of a checkpoint that is whole otherwise (tokenizer, processor) in its folder.
 * @throws Blip2Error `HUB_*` as `openCheckpoint`; the signal's reason when aborted
 */
export async function downloadSideFiles({ hub }: Checkpoint, options: HubOptions): Promise<void> {
  if (hub === undefined) return;
  const repository = await connectRepository(hub.repo, hub.commit, await hubSettings(options));
  await repository.download(repository.sideFiles());
}

function isAddress(file: string): boolean {
  return file.startsWith('https://') || file.startsWith('http://');
}
