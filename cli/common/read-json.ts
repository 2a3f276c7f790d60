import { readFile } from 'node:fs/promises';
import { Blip2Error } from '../../src/errors.js';

/** @throws Blip2Error `BAD_FILE` where the file cannot be read or is no JSON. */
export async function readJson(file: string): Promise<unknown> {
  try {
    const json: unknown = JSON.parse(await readFile(file, 'utf8'));
    return json;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Blip2Error('BAD_FILE', `${file} cannot be read as JSON: ${why}`, { cause: error });
  }
}
