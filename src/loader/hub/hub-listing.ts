/** Which commit a revision is, and the files it has, as the hub's interface answers: checked before anything is named after it. */
import { Blip2Error } from '../../errors.js';
import { type HubRequests, originOf, statusError } from './hub-request.js';
import { filesOf, revisionSchema, treeSchema, type ListedFile } from './listing-schema.js';
import { seconds } from './notice-wait.js';
import { timelyChunks } from './timely-chunks.js';

/** Of all pages of a listing: the largest repositories of models have some thousand files, in a tenth of it. */
const MAX_LISTING_BYTES = 32_000_000;
const MAX_PAGES = 1000;
/** For all pages of a listing, in time limits of one silence. */
const LISTING_TIMEOUTS = 12;

/** @throws Blip2Error `HUB_NOT_FOUND`, `HUB_UNAUTHORIZED`, `HUB_RATE_LIMITED`, `HUB_UNREACHABLE`, `HUB_FAILED`. */
export async function commitOf(requests: HubRequests, repo: string, revision: string): Promise<string> {
  const { endpoint } = requests.settings;
  const address = `${endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}`;
  const budget = { bytes: MAX_LISTING_BYTES };
  const { json } = await getJson(requests, address, { what: `${repo} at ${revision}`, budget });
  const parsed = revisionSchema.safeParse(json);
  if (!parsed.success) throw notAHub(address, 'what it answers names no commit of a model');
  return parsed.data.sha;
}

/** @throws as `commitOf` */
export async function listFiles(requests: HubRequests, repo: string, commit: string): Promise<ListedFile[]> {
  const { endpoint, timeoutMs } = requests.settings;
  const what = `the files of ${repo} at ${commit}`;
  const budget = { bytes: MAX_LISTING_BYTES };
  const deadline = performance.now() + LISTING_TIMEOUTS * timeoutMs;
  const files: ListedFile[] = [];
  const seen = new Set<string>();
  let next: string | null = `${endpoint}/api/models/${repo}/tree/${commit}?recursive=true`;
  while (next !== null) {
    const address: string = next;
    if (seen.has(address)) throw endless(address, `page ${seen.size} of ${what} leads back to one before it`);
    if (seen.size === MAX_PAGES) throw endless(address, `${what} have more than ${MAX_PAGES} pages`);
    if (performance.now() > deadline) {
      throw endless(address, `${what} did not end within ${seconds(LISTING_TIMEOUTS * timeoutMs)} s`);
    }
    seen.add(address);
    const { json, link } = await getJson(requests, address, { what, budget });
    const parsed = treeSchema.safeParse(json);
    if (!parsed.success) throw notAHub(address, 'what it answers is no listing of files');
    files.push(...filesOf(parsed.data));
    next = nextPage(link, address);
  }
  return files;
}

interface JsonRequest {
  readonly what: string;
  /** Bytes that may still come, over all pages. */
  readonly budget: { bytes: number };
}

async function getJson(
  requests: HubRequests,
  address: string,
  { what, budget }: JsonRequest,
): Promise<{ json: unknown; link: string | null }> {
  return requests.get(address, { Accept: 'application/json' }, async (response) => {
    const { status, headers, body } = response;
    if (status !== 200) {
      body?.cancel().catch(() => undefined);
      throw response.ok ? notAHub(address, `it answers with status ${status}`) : statusError(status, what);
    }
    const chunks: Uint8Array[] = [];
    const most = budget.bytes;
    let bytes = 0;
    if (body !== null) {
      for await (const chunk of timelyChunks(body, requests.settings, what)) {
        bytes += chunk.length;
        if (bytes > most) throw endless(address, `${what} are more than ${MAX_LISTING_BYTES} bytes`);
        chunks.push(chunk);
      }
    }
    budget.bytes -= bytes;
    try {
      return { json: JSON.parse(Buffer.concat(chunks).toString()) as unknown, link: headers.get('link') };
    } catch {
      throw notAHub(address, `it answers ${headers.get('content-type') ?? 'something'} where JSON is expected`);
    }
  });
}

/** The address that `Link` calls the next one. */
function nextPage(link: string | null, address: string): string | null {
  const next = /<([^<>]*)>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1];
  if (next === undefined) return null;
  const url = URL.canParse(next, address) ? new URL(next, address) : null;
  if (url !== null && /^https?:$/.test(url.protocol)) return url.href;
  throw notAHub(address, `its next page is ${JSON.stringify(next)}`);
}

function notAHub(address: string, why: string): Blip2Error {
  return new Blip2Error('HUB_FAILED', `${originOf(address)} is not a hub: ${why}`, {
    hint: 'Check HF_ENDPOINT. A proxy, or a page that asks to sign in, may answer in place of the hub.',
    details: { address },
  });
}

function endless(address: string, why: string): Blip2Error {
  return new Blip2Error('HUB_FAILED', `${originOf(address)}: ${why}`, {
    hint: 'Check HF_ENDPOINT, or download the model with another tool and name its folder.',
    details: { address },
  });
}
