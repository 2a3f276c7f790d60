/** Where the hub is, where its cache is, and whether it may be asked: the environment variables of huggingface_hub. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Blip2Error } from '../../errors.js';

/** Which hub, and how it is asked. */
export interface HubOptions {
  /** Default: `HF_ENDPOINT`, then huggingface.co. */
  readonly endpoint?: string;
  /** Default, unless `HF_HUB_DISABLE_IMPLICIT_TOKEN`: `HF_TOKEN`, then the file that `hf auth login` writes. */
  readonly token?: string;
  /** Default: `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME`/hub, `XDG_CACHE_HOME`/huggingface/hub, ~/.cache/huggingface/hub. */
  readonly cacheFolder?: string;
  /** Nothing but the cache is used. Default: `HF_HUB_OFFLINE`, then `TRANSFORMERS_OFFLINE`. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  /** Wait before a first retry; it doubles each time. Default 500. */
  readonly retryDelayMs?: number;
  /**
   * A request is tried again where nothing comes for so long, five times in all. Default: `HF_HUB_DOWNLOAD_TIMEOUT`, in
   * seconds, then 10 s.
   */
  readonly timeoutMs?: number;
  /** Called with what is waited for, once that takes some seconds. */
  readonly onWait?: (what: string) => void;
}

/** How a checkpoint is opened. */
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
  readonly timeoutMs: number;
  readonly onWait: ((what: string) => void) | undefined;
}

const TIMEOUT_SECONDS = 10;
/** Node's timers end above 24 days. */
const MAX_TIMEOUT_SECONDS = 86_400;

/** `owner/name`, and nothing that a path could be taken for. */
export function isRepositoryName(where: string): boolean {
  return (
    /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(where) && !where.includes('..') && !where.endsWith('.safetensors')
  );
}

export async function hubSettings(options: HubOptions, env: NodeJS.ProcessEnv = process.env): Promise<HubSettings> {
  // A variable that is set to nothing is not set: shells and containers leave such behind.
  const variable = (name: string): string | undefined => (env[name]?.trim() === '' ? undefined : env[name]?.trim());
  const isOn = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? '');
  const place = (name: string): string | undefined => expanded(variable(name), env);
  const home = place('HF_HOME') ?? join(place('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'huggingface');
  const ownToken = async (): Promise<string | undefined> =>
    variable('HF_TOKEN') ??
    variable('HUGGING_FACE_HUB_TOKEN') ??
    (await readToken(place('HF_TOKEN_PATH') ?? join(home, 'token')));
  return {
    endpoint: (options.endpoint ?? variable('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, ''),
    token: options.token ?? (isOn(variable('HF_HUB_DISABLE_IMPLICIT_TOKEN')) ? undefined : await ownToken()),
    cacheFolder: options.cacheFolder ?? place('HF_HUB_CACHE') ?? place('HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub'),
    offline: options.offline ?? isOn(variable('HF_HUB_OFFLINE') ?? variable('TRANSFORMERS_OFFLINE')),
    signal: options.signal,
    retryDelayMs: options.retryDelayMs ?? 500,
    timeoutMs: options.timeoutMs ?? 1000 * timeoutSeconds(variable('HF_HUB_DOWNLOAD_TIMEOUT')),
    onWait: options.onWait,
  };
}

/** As Python expands paths that no shell has expanded: `~` at the front, and `$NAME` or `${NAME}` where that is set. */
function expanded(path: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  return path
    ?.replace(/^~(?=$|[/\\])/, homedir())
    .replaceAll(
      /\$(?:(\w+)|\{([^}]*)\})/g,
      (text, plain?: string, braced?: string) => env[plain ?? braced ?? ''] ?? text,
    );
}

function timeoutSeconds(variable: string | undefined): number {
  if (variable === undefined) return TIMEOUT_SECONDS;
  const given = Number(variable);
  if (given > 0 && given <= MAX_TIMEOUT_SECONDS) return given;
  throw new Blip2Error(
    'OPTION_INVALID',
    `HF_HUB_DOWNLOAD_TIMEOUT is ${JSON.stringify(variable)}; it has to be seconds, above 0 and at most ${MAX_TIMEOUT_SECONDS}`,
  );
}

async function readToken(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
}
