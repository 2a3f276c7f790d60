/** A model on the hub: its listing, `config.json`, index, and of every shard the range that holds its header. */
import type * as z from 'zod';
import { Blip2Error } from '../../../src/errors.js';
import { MAX_INDEX_BYTES, parseIndex } from '../../../src/loader/checkpoint/parse-index.js';
import { pickWeights } from '../../../src/loader/checkpoint/pick-weights.js';
import type { ByteSource } from '../../../src/loader/format/read-header.js';
import { SafetensorsError } from '../../../src/loader/format/safetensors-error.js';
import { filesOf, revisionSchema, treeSchema } from '../../../src/loader/hub/listing-schema.js';
import { boundedBytes, hubRequest } from './hub-requests.js';
import { MAX_CONFIG_BYTES, openShards } from './open-shards.js';
import type { OpenModel } from './open-model.js';

/** Of all that is asked of a listing: a thousand files take a tenth. */
const MAX_LISTING_BYTES = 4_000_000;
const MAX_PAGES = 50;

/** @throws Blip2Error of `hubRequest`, SafetensorsError for what the files are */
export async function openHub(hub: string, repo: string): Promise<OpenModel> {
  const { sha } = await listed(`${hub}/api/models/${repo}/revision/main`, `model ${repo}`, revisionSchema);
  const sizes = await fileSizes(`${hub}/api/models/${repo}/tree/${sha}?recursive=true`, repo);
  const address = (name: string) =>
    `${hub}/${repo}/resolve/${sha}/${name.split('/').map(encodeURIComponent).join('/')}`;
  const picked = pickWeights([...sizes.keys()], repo);
  const text = async (name: string, maxBytes: number) => {
    const bytes = await boundedBytes(await hubRequest(address(name), `${repo}/${name}`), maxBytes, name);
    return new TextDecoder().decode(bytes);
  };
  const [configText, indexText] = await Promise.all([
    picked.hasConfig ? text('config.json', MAX_CONFIG_BYTES) : null,
    picked.isIndex ? text(picked.name, MAX_INDEX_BYTES) : null,
  ]);
  const index = indexText === null ? null : { name: picked.name, parsed: parseIndex(indexText, picked.name) };
  const names = index === null ? [picked.name] : [...new Set(index.parsed.weightMap.values())].toSorted();
  const shards = names.map((name): ByteSource => {
    const sizeBytes = sizes.get(name);
    if (sizeBytes === undefined)
      throw new SafetensorsError('MISSING_SHARD', repo, `has no file ${name}, or its size is not said`);
    return {
      name,
      path: address(name),
      sizeBytes,
      read: async (begin, end) => readRange(address(name), `${repo}/${name}`, begin, end),
    };
  });
  const warnings = picked.warnings.map(({ message }) => message);
  return openShards({ id: repo, configText, index, shards, warnings });
}

async function fileSizes(first: string, repo: string): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  let address: string | null = first;
  for (let page = 0; address !== null && page < MAX_PAGES; page++) {
    const response: Response = await hubRequest(address, `the files of ${repo}`);
    for (const { path, sizeBytes } of filesOf(await parsed(response, treeSchema))) sizes.set(path, sizeBytes);
    const next: string | undefined = /<([^<>]*)>\s*;\s*rel="?next"?/i.exec(response.headers.get('link') ?? '')?.[1];
    address = next !== undefined && URL.canParse(next, address) ? new URL(next, address).href : null;
  }
  return sizes;
}

async function listed<T>(address: string, what: string, schema: z.ZodType<T>): Promise<T> {
  return parsed(await hubRequest(address, what), schema);
}

async function parsed<T>(response: Response, schema: z.ZodType<T>): Promise<T> {
  const bytes = await boundedBytes(response, MAX_LISTING_BYTES, 'a listing');
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new Blip2Error(
      'HUB_FAILED',
      `${new URL(response.url).origin} is not a hub: what it answers is no listing of a model.`,
      {
        hint: 'Check the address of the hub. A proxy, or a page that asks to sign in, may answer in its place.',
        cause,
      },
    );
  }
}

async function readRange(address: string, what: string, begin: number, end: number): Promise<Uint8Array> {
  const response = await hubRequest(address, what, [begin, end]);
  const bytes = response.status === 206 ? await boundedBytes(response, end - begin, what) : null;
  if (bytes?.length === end - begin) return bytes;
  await response.body?.cancel().catch(() => undefined);
  throw new Blip2Error('HUB_FAILED', `The hub does not answer the range of ${what} that was asked for.`);
}
