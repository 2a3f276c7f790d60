/**
 * What the first load can do without: the table of models, and HiGHS. Each is a script beside the page that hands over deflated
 * bytes, because scripts alone can be read from `file:`. A report holds what its plan needs in itself.
 */
import { Blip2Error } from '../../../src/errors.js';
import type { AssetName } from './asset-name.js';

/** Deflated, in base64. */
export type AssetParts = Readonly<Record<string, string>>;

declare global {
  var deliverAsset: ((name: string, parts: AssetParts) => void) | undefined;
}

export type Asset = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

const delivered = new Map<string, AssetParts>();
/** Inflated once: every question to a worker asks for it. */
const loads = new Map<AssetName, Promise<Asset>>();

globalThis.deliverAsset = (name, parts) => delivered.set(name, parts);

/** @throws Blip2Error `ASSET_MISSING` where the page stands alone */
export function loadAsset(name: AssetName): Promise<Asset> {
  let load = loads.get(name);
  if (load === undefined) {
    load = (embedded(name) ?? runScript(name)).then(inflated);
    loads.set(name, load);
    load.catch(() => loads.delete(name));
  }
  return load;
}

async function inflated(parts: AssetParts): Promise<Asset> {
  const each = Object.entries(parts).map(async ([part, base64]) => [part, await inflate(base64)] as const);
  return new Map(await Promise.all(each));
}

function embedded(name: AssetName): Promise<AssetParts> | null {
  const text = document.querySelector(`#asset-${name}`)?.textContent;
  // Written by this product into its own report.
  return text === undefined || text === null ? null : Promise.resolve(JSON.parse(text) as AssetParts);
}

function runScript(name: AssetName): Promise<AssetParts> {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    const missing = () =>
      reject(
        new Blip2Error('ASSET_MISSING', `${name}.js is not beside this page.`, {
          hint: 'A report holds what its own plan needs. The command, or the whole page, does the rest.',
        }),
      );
    script.addEventListener('error', missing);
    script.addEventListener('load', () => {
      const parts = delivered.get(name);
      if (parts === undefined) missing();
      else resolve(parts);
    });
    script.src = `${name}.js`;
    document.head.append(script);
  });
}

async function inflate(base64: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
