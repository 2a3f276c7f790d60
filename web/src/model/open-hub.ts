/** A model on the hub: its listing, `config.json`, index, and of every shard the range that holds its header. */
import * as z from 'zod';
import { Blip2Error } from '../../../src/errors.js';
import { MAX_INDEX_BYTES, parseIndex } from '../../../src/loader/checkpoint/parse-index.js';
import { pickWeights } from '../../../src/loader/checkpoint/pick-weights.js';
import type { ByteSource } from '../../../src/loader/format/read-header.js';
import { SafetensorsError } from '../../../src/loader/format/safetensors-error.js';
import { boundedBytes, hubRequest } from './hub-requests.js';
import { MAX_CONFIG_BYTES, openShards } from './open-shards.js';
import type { OpenModel } from './open-model.js';

/** Of a listing: a thousand files take a tenth. */
const MAX_LISTING_BYTES = 4_000_000;

const infoSchema = z.looseObject({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z
    .array(z.looseObject({ rfilename: z.string(), size: z.number().int().nonnegative().optional() }))
    .max(50_000),
});

/** @throws Blip2Error of `hubRequest`, SafetensorsError for what the files are */
export async function openHub(hub: string, repo: string): Promise<OpenModel> {
  const info = await listing(hub, repo);
  const sizes = new Map(info.siblings.map(({ rfilename, size }) => [rfilename, size]));
  const address = (name: string) =>
    `${hub}/${repo}/resolve/${info.sha}/${name.split('/').map(encodeURIComponent).join('/')}`;
  const picked = pickWeights([...sizes.keys()], repo);
  const text = async (name: string, maxBytes: number) => {
    const bytes = await boundedBytes(await hubRequest(address(name), `${repo}/${name}`), maxBytes, name);
    return new TextDecoder().decode(bytes);
  };
  const [configText, indexText] = await Promise.all([
    picked.hasConfig ? text('config.json', MAX_CONFIG_BYTES) : null,
    picked.index === null ? null : text(picked.index, MAX_INDEX_BYTES),
  ]);
  const index =
    indexText === null || picked.index === null
      ? null
      : { name: picked.index, parsed: parseIndex(indexText, picked.index) };
  const names = index === null ? [picked.single ?? ''] : [...new Set(index.parsed.weightMap.values())].toSorted();
  const shards = names.map((name): ByteSource => {
    const sizeBytes = sizes.get(name);
    if (sizeBytes === undefined)
      throw new SafetensorsError('MissingShard', repo, `has no file ${name}, or its size is not said`);
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

async function listing(hub: string, repo: string): Promise<z.infer<typeof infoSchema>> {
  const response = await hubRequest(`${hub}/api/models/${repo}?blobs=true`, `model ${repo}`);
  const bytes = await boundedBytes(response, MAX_LISTING_BYTES, `the listing of ${repo}`);
  try {
    return infoSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new Blip2Error('HubFailed', `${hub} is not a hub: what it answers is no listing of a model's files.`, {
      hint: 'Check the address of the hub. A proxy, or a page that asks to sign in, may answer in its place.',
      cause,
    });
  }
}

async function readRange(address: string, what: string, begin: number, end: number): Promise<Uint8Array> {
  const response = await hubRequest(address, what, [begin, end]);
  const bytes = response.status === 206 ? await boundedBytes(response, end - begin, what) : null;
  if (bytes?.length === end - begin) return bytes;
  await response.body?.cancel().catch(() => undefined);
  throw new Blip2Error('HubFailed', `The hub does not answer the range of ${what} that was asked for.`);
}
