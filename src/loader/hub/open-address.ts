/**
 * Checkpoints by the address of their index, or of their only file. The configuration beside it and the index are fetched, of
 * every shard the header, by ranges; nothing is kept on this machine.
 */
import { Blip2Error } from '../../errors.js';
import { formatSize } from '../../size.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { openFound, openShardSource } from '../checkpoint/open-found.js';
import { pickFile } from '../checkpoint/pick-weights.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { HubRequests, statusError } from './hub-request.js';
import { hubSettings, type OpenOptions } from './hub-settings.js';
import { RemoteFile } from './remote-file.js';

/**
 * @param where `https://host/path/model.safetensors.index.json`, or that of a `.safetensors` file; of the hub's pages,
 *   `/blob/` is taken for `/resolve/`
 * @throws SafetensorsError `CHECKPOINT_NOT_FOUND`, and for what is wrong with the index or a shard; Blip2Error `HUB_OFFLINE`,
 *   `HUB_NOT_FOUND`, `HUB_UNAUTHORIZED`, `HUB_RATE_LIMITED`, `HUB_UNREACHABLE`, `HUB_FAILED`
 */
export async function openAddress(where: string, options: OpenOptions = {}): Promise<Checkpoint> {
  const settings = await hubSettings(options);
  if (settings.offline)
    throw new Blip2Error('HUB_OFFLINE', `${where} is not on this machine, and HF_HUB_OFFLINE forbids fetching it`, {
      hint: 'Unset HF_HUB_OFFLINE, or name a folder.',
    });
  const address = checked(where);
  const [name = ''] = address.pathname.split('/').slice(-1);
  const requests = new HubRequests(settings);
  const addressOf = (path: string): string => new URL(path.split('/').map(encodeURIComponent).join('/'), address).href;
  const open = async (path: string): Promise<RemoteFile> => {
    const own = path === name ? address.href : addressOf(path);
    return new RemoteFile({ name: own, address: own, sizeBytes: await sizeOf(own, requests), hash: '', requests });
  };
  const config = await open('config.json').catch((error: unknown) => {
    if (error instanceof Blip2Error && error.code === 'HUB_NOT_FOUND') return null;
    throw error;
  });
  const folder = new URL('.', address).href;
  return openFound(
    { folder, ...pickFile(name, config !== null) },
    async (path) => openShardSource(await open(path), path),
    {
      path: (each) => each,
      async read(path, maxBytes) {
        const file = path === 'config.json' && config !== null ? config : await open(path);
        if (file.sizeBytes > maxBytes)
          throw new Error(`it has ${formatSize(file.sizeBytes)}; at most ${formatSize(maxBytes)} are read`);
        return file.read(0, file.sizeBytes);
      },
    },
  );
}

function checked(where: string): URL {
  const address = URL.canParse(where) ? new URL(where) : null;
  const isKnown = address !== null && /\.safetensors(\.index(\.[^.]+)?\.json)?$/.test(address.pathname);
  if (address === null || !isKnown || address.username !== '')
    throw new SafetensorsError(
      'CHECKPOINT_NOT_FOUND',
      where,
      'is the address of neither a .safetensors file nor a *.safetensors.index.json',
      { hint: 'Give the address of the index, such as https://…/model.safetensors.index.json, or owner/name.' },
    );
  address.pathname = address.pathname.replace(/^(\/[^/]+\/[^/]+)\/blob\//, '$1/resolve/');
  return address;
}

/** Bytes of a file, which a range of one of them states. */
async function sizeOf(address: string, requests: HubRequests): Promise<number> {
  const headers = { Range: 'bytes=0-0', 'Accept-Encoding': 'identity' };
  const { status, range, length } = await requests.get(address, headers, (answer) => {
    // A server without ranges would send all of it.
    answer.body?.cancel().catch(() => undefined);
    const { headers: found } = answer;
    return Promise.resolve({
      status: answer.status,
      range: found.get('content-range'),
      length: found.get('content-length'),
    });
  });
  if (status !== 206 && status !== 200) throw statusError(status, address);
  const size = status === 206 ? /^bytes \d+-\d+\/(\d+)$/.exec(range ?? '')?.[1] : length;
  const bytes = Number(size ?? Number.NaN);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new Blip2Error('HUB_FAILED', `${address}: the server does not say how large the file is`);
}
