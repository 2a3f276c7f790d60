/** The demo with one of its files replaced, through everything that a caption takes. */
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Blip2Error } from '../../src/errors.js';
import { openCheckpoint } from '../../src/loader/index.js';
import { planDeviceMap } from '../../src/planner/index.js';
import { createCaptioner } from '../../src/runtime/captioner/captioner.js';
import { DEMO } from '../golden/golden.js';

const PICTURE = join(DEMO, 'pictures/shape-05.png');
export const RIGHT = 'a large green triangle on a gray background';

export type Json = Record<string, unknown>;

export async function demoJson(name: string): Promise<Json> {
  return JSON.parse(await readFile(join(DEMO, name), 'utf8')) as Json;
}

/** A document with the values at dotted paths replaced; undefined takes a key away. */
export function changed(document: Json, changes: Readonly<Record<string, unknown>>): Json {
  const copy = structuredClone(document);
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split('.');
    let at: Json = copy;
    for (const key of keys.slice(0, -1)) at = at[key] as Json;
    at[keys.at(-1) ?? ''] = value;
  }
  return copy;
}

/**
 * The caption, or the code of the error. What is no error of this package is thrown: nobody could make sense of it.
 * @param links where files are links to, other than those of the demo
 */
export async function captionWith(
  files: Readonly<Record<string, string>>,
  links: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-hostile-'));
  try {
    for (const name of await readdir(DEMO)) {
      const replaced = files[name];
      if (replaced === undefined) await symlink(links[name] ?? join(DEMO, name), join(folder, name));
      else await writeFile(join(folder, name), replaced);
    }
    const checkpoint = await openCheckpoint(folder);
    const { config, tensors } = checkpoint;
    planDeviceMap(tensors, { config, budgets: { gpus: new Map(), ramBytes: null, diskBytes: 0 } });
    await using captioner = await createCaptioner(checkpoint, { inProcess: true, threads: 1 });
    for await (const { text } of captioner.caption(PICTURE, { maxNewTokens: 30 })) return text;
    return '';
  } catch (error) {
    if (error instanceof Blip2Error) return error.code;
    throw error;
  } finally {
    await rm(folder, { recursive: true });
  }
}
