/** Checkpoints as people have saved them: in a wrapper, quantised by another package, with an InstructBLIP's tokenizers. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, DEMO, ROOT, type Finished } from './command.js';

const PICTURE = 'models/demo/pictures/shape-07.png';
const CAPTION = 'a large orange diamond above a large green ring on a gray background';
const INSTRUCT = 'test/fixtures/goldens/tiny-instructblip-llama';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-as-saved-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('names of a wrapper', () => {
  /** A copy of the demo whose names begin so, which blip2-plan has said, with the command that helps. */
  async function wrapIn(prefix: string): Promise<string> {
    const wrapped = join(folder, prefix);
    const renamed = await command('blip2-shard', ['rename', DEMO, wrapped, '-q', '--prefix', `=${prefix}`]);
    expect(renamed).toMatchObject({ code: 0 });
    expectSaid(await command('blip2-plan', [wrapped, '--vram', '10M']), prefix);
    return wrapped;
  }

  function expectSaid(finished: Finished, prefix: string): void {
    expect(finished).toMatchObject({ code: 1, stdout: '' });
    expect(finished.stderr).toContain(`begin with "${prefix}"`);
    expect(finished.stderr).toContain(`blip2-shard rename <checkpoint> <out> --prefix ${prefix}=`);
    expect(finished.stderr).toContain('[TENSORS_PREFIXED]');
  }

  it.each(['_orig_mod.', 'model.'])('%s: is said, with the command that helps', async (prefix) => {
    await wrapIn(prefix);
  });

  it('are said by blip2-run too, however it plans, and go with the command that helps', async () => {
    const prefix = 'base_model.model.';
    const wrapped = await wrapIn(prefix);
    for (const args of [[], ['--vram', '10M', '--emulate-gpu']]) {
      expectSaid(await command('blip2-run', [PICTURE, '-m', wrapped, ...args]), prefix);
    }
    const plain = join(folder, `${prefix}plain`);
    expect(await command('blip2-shard', ['rename', wrapped, plain, '-q', '--prefix', `${prefix}=`])).toMatchObject({
      code: 0,
    });
    const run = await command('blip2-run', [PICTURE, '-m', plain, '-q']);
    expect(run.stdout.trim()).toBe(CAPTION);
  });
});

it('without an id for the picture, as of 2023, are captioned and planned, with a warning for who has transformers 5', async () => {
  const old = join(folder, 'of-2023');
  await cp(join(ROOT, DEMO), old, { recursive: true });
  const config = JSON.parse(await readFile(join(old, 'config.json'), 'utf8')) as object;
  await writeFile(join(old, 'config.json'), JSON.stringify({ ...config, image_token_index: null }));
  const warning = 'warning: config.json has no image_token_index';
  const run = await command('blip2-run', [PICTURE, '-m', old]);
  expect([run.stdout.trim(), run.stderr.split(warning).length]).toEqual([CAPTION, 2]);
  const plan = (engine: string) => command('blip2-plan', [old, '--vram', '10M', '--engine', engine]);
  expect((await plan('transformers')).stderr).toContain(warning);
  expect((await plan('blip2-run')).stderr).not.toContain(warning);
});

describe('weights quantised by another package', () => {
  it('are refused by the name of the setting', async () => {
    const quantized = join(folder, 'bitsandbytes');
    await cp(join(ROOT, DEMO), quantized, { recursive: true });
    const config = JSON.parse(await readFile(join(quantized, 'config.json'), 'utf8')) as object;
    const quantization_config = { quant_method: 'bitsandbytes', load_in_8bit: true, llm_int8_threshold: 6 };
    await writeFile(join(quantized, 'config.json'), JSON.stringify({ ...config, quantization_config }));
    for (const finished of [
      await command('blip2-run', [PICTURE, '-m', quantized]),
      await command('blip2-plan', [quantized, '--vram', '10M']),
    ]) {
      expect(finished).toMatchObject({ code: 1, stdout: '' });
      expect(finished.stderr).toContain(
        'config.json has quantization_config: the weights are quantised by bitsandbytes',
      );
      expect(finished.stderr).toContain('[CHECKPOINT_QUANTIZED]');
    }
  });
});

describe("an InstructBLIP's second tokenizer", () => {
  it('comes along with converted weights', async () => {
    const out = join(folder, 'instruct');
    expect(await command('blip2-shard', ['convert', INSTRUCT, out, '-q', '--dtype', 'float16'])).toMatchObject({
      code: 0,
    });
    expect(await readdir(join(out, 'qformer_tokenizer'))).toEqual(['tokenizer.json', 'tokenizer_config.json']);
    const asked = ['models/demo/pictures/shape-00.png', '-q', '--prompt', 'what is in the picture'];
    const cache = { XDG_CACHE_HOME: join(folder, 'cache') };
    const [before, after] = [
      await command('blip2-run', [...asked, '-m', INSTRUCT], { env: cache }),
      await command('blip2-run', [...asked, '-m', out], { env: cache }),
    ];
    expect(after).toEqual(before);
    expect(after.code).toBe(0);
  });
});
