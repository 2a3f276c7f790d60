/** Where picture settings are looked for: sizes that transformers 5 gave for the same files. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { modelPixels } from '../image/prepare-pixels.js';
import { parseModelConfig } from '../../model/blip2-config.js';
import { readCheckpointFiles, readPictureSettings } from './checkpoint-files.js';

const CASES = join(import.meta.dirname, '../../../test/fixtures/processors/cases.json');
const cases = z
  .array(
    z.object({
      name: z.string(),
      processor: z.unknown(),
      preprocessor: z.unknown(),
      size: z.tuple([z.number(), z.number()]).nullable(),
      first: z.number().nullable(),
    }),
  )
  .parse(JSON.parse(await readFile(CASES, 'utf8')));

/** What transformers does and this package refuses to. */
const REFUSED = new Set(['cropped', 'padded', 'to a shorter side', 'of another class']);
const DEMO = join(import.meta.dirname, '../../../models/demo');
const PICTURE = join(DEMO, 'pictures/shape-07.png');
/** Of the recorded picture. */
const PICTURE_SIZE = [83, 61];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-processor-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, document: unknown): Promise<void> {
  if (document !== null) await writeFile(join(folder, name), JSON.stringify(document));
}

describe('picture settings', () => {
  it.each(cases)('$name', async ({ name, processor, preprocessor, size, first }) => {
    await write('processor_config.json', processor);
    await write('preprocessor_config.json', preprocessor);
    const reading = readPictureSettings(folder);
    if (size === null || REFUSED.has(name)) {
      const code = name === 'neither' ? 'CHECKPOINT_FILE_MISSING' : 'CONFIG_INVALID';
      await expect(reading).rejects.toMatchObject({ code });
    } else {
      const [height, width] = size;
      const settings = await reading;
      expect(settings.size).toEqual(String(size) === String(PICTURE_SIZE) ? null : { height, width });
      const made = await modelPixels(PICTURE, { preprocessor: settings, size: { height, width }, float: 'F32' });
      expect(made[0]).toBe(first);
    }
  });

  it.each(['null', '[]', '"BlipImageProcessor"'])(
    'are not looked for elsewhere where the first file is %s',
    async (text) => {
      await writeFile(join(folder, 'processor_config.json'), text);
      await write('preprocessor_config.json', {});
      await expect(readPictureSettings(folder)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('processor_config.json is not an object'),
      });
    },
  );

  it('are not looked for elsewhere where the first file is broken', async () => {
    await writeFile(join(folder, 'processor_config.json'), '{');
    await write('preprocessor_config.json', {});
    await expect(readPictureSettings(folder)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('processor_config.json is not JSON'),
    });
  });

  it('are nothing to a model that was meant with an adapter', async () => {
    await cp(DEMO, folder, {
      recursive: true,
      filter: (path) => !path.includes('pictures') && !path.endsWith('safetensors'),
    });
    const config = parseModelConfig({ model_type: 'blip-2', num_query_tokens: 8 });
    await readCheckpointFiles(folder, config);
    await write('adapter_config.json', { peft_type: 'LORA' });
    await expect(readCheckpointFiles(folder, config)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('adapters are not applied here'),
    });
  });

  it('are nothing to a model that fills other places than the processor makes', async () => {
    await cp(DEMO, folder, {
      recursive: true,
      filter: (path) => !path.includes('pictures') && !path.endsWith('safetensors'),
    });
    const config = parseModelConfig({ model_type: 'blip-2', num_query_tokens: 8 });
    await readCheckpointFiles(folder, config);
    // transformers 5 fails with more, and with fewer gives the language model a part of the picture.
    for (const num_query_tokens of [4, 12]) {
      await write('processor_config.json', { num_query_tokens });
      await expect(readCheckpointFiles(folder, config)).rejects.toMatchObject({
        code: 'CONFIG_MISMATCH',
        message: expect.stringContaining(`makes ${num_query_tokens} places for a picture, and the model fills 8`),
      });
    }
  });

  it('are nothing to a model that compares, and would read the places of a picture as words', async () => {
    const retrieval = join(CASES, '../../goldens/tiny-retrieval');
    await cp(retrieval, folder, { recursive: true, filter: (path) => !path.endsWith('safetensors') });
    const config = await readFile(join(retrieval, 'config.json'), 'utf8');
    const withoutId = { ...(JSON.parse(config) as object), image_token_index: null };
    // Processors of 2023 make none.
    await readCheckpointFiles(folder, parseModelConfig(withoutId));
    await write('processor_config.json', { num_query_tokens: 6 });
    await readCheckpointFiles(folder, parseModelConfig(JSON.parse(config)));
    await expect(readCheckpointFiles(folder, parseModelConfig(withoutId))).rejects.toMatchObject({
      code: 'CONFIG_MISMATCH',
      message: expect.stringContaining('6 places for a picture, and config.json has no image_token_index'),
    });
  });

  it('that cannot be used name the file they stand in', async () => {
    await write('processor_config.json', { image_processor: { resample: 2 } });
    await expect(readPictureSettings(folder)).rejects.toThrow(/^processor_config.json cannot be used: resample/);
    // transformers scales by its bilinear filter then.
    for (const resample of ['3.0', '3e0']) {
      await writeFile(join(folder, 'processor_config.json'), `{"image_processor": {"resample": ${resample}}}`);
      await expect(readPictureSettings(folder)).rejects.toThrow(/^processor_config.json cannot be used: resample/);
    }
  });
});
