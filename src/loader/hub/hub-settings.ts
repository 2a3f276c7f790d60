/** Where the hub is, where its cache is, and whether it may be asked: the environment variables of huggingface_hub. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface HubOptions {
  /** Default: `HF_ENDPOINT`, then huggingface.co. */
  readonly endpoint?: string;
  /** Default: `HF_TOKEN`, then the file that `hf auth login` writes. */
  readonly token?: string;
  /** Default: `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME`/hub, `XDG_CACHE_HOME`/huggingface/hub, ~/.cache/huggingface/hub. */
  readonly cacheFolder?: string;
  /** Nothing but the cache is used. Default: `HF_HUB_OFFLINE`. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  /** Wait before a first retry; it doubles each time. Default 500. */
  readonly retryDelayMs?: number;
}

export interface OpenOptions extends HubOptions {
  /** Branch, tag or commit, for a checkpoint on the hub. Default `main`. */
  readonly revision?: string;
}

export interface HubSettings {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly cacheFolder: string;
  readonly offline: boolean;
  readonly signal: AbortSignal | undefined;
  readonly retryDelayMs: number;
}

/** `owner/name`, and nothing that a path could be taken for. */
export function isRepositoryName(where: string): boolean {
  return (
    /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(where) && !where.includes('..') && !where.endsWith('.safetensors')
  );
}

export async function hubSettings(options: HubOptions, env: NodeJS.ProcessEnv = process.env): Promise<HubSettings> {
  const home = env['HF_HOME'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'huggingface');
  return {
    endpoint: (options.endpoint ?? env['HF_ENDPOINT'] ?? 'https://huggingface.co').replace(/\/+$/, ''),
    token: options.token ?? env['HF_TOKEN'] ?? (await readToken(env['HF_TOKEN_PATH'] ?? join(home, 'token'))),
    cacheFolder: options.cacheFolder ?? env['HF_HUB_CACHE'] ?? env['HUGGINGFACE_HUB_CACHE'] ?? join(home, 'hub'),
    offline: options.offline ?? /^(1|on|yes|true)$/i.test(env['HF_HUB_OFFLINE'] ?? ''),
    signal: options.signal,
    retryDelayMs: options.retryDelayMs ?? 500,
  };
}

async function readToken(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
}
