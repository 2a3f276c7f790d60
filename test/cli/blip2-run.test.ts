import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, DEMO, ROOT, script, type Finished } from './command.js';
import { commandsInTurn } from './commands-in-turn.js';

interface Golden {
  readonly image: string;
  readonly caption: { readonly ids: readonly number[]; readonly text: string; readonly beam5_ids: readonly number[] };
  readonly vqa: { readonly prompt: string; readonly ids: readonly number[]; readonly text: string };
}

const goldens = JSON.parse(
  await readFile(join(ROOT, 'test/fixtures/goldens/demo/goldens.json'), 'utf8'),
) as readonly Golden[];
const picture = (name: string) => `${DEMO}/pictures/${name}`;
const run = (...args: string[]) => command('blip2-run', ['--model', DEMO, ...args]);

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-run-test-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const scratchFile = async (name: string, text: string): Promise<string> => {
  const path = join(scratch, name);
  await writeFile(path, text);
  return path;
};

describe('blip2-run', () => {
  it('writes the caption of one picture, and nothing else, on stdout', async () => {
    const finished = await run(picture('shape-00.png'));
    expect(finished).toEqual({
      code: 0,
      stdout: 'a small red ring above a small red circle on a white background\n',
      stderr: '',
    });
  });

  it('captions a folder as transformers does, cut between two devices by a plan of ours', async () => {
    const planned = await command('blip2-plan', [DEMO, '--vram', '5M', '--json', '-q']);
    const plan = await scratchFile('plan.json', planned.stdout);
    const { code, stdout } = await run(
      `${DEMO}/pictures`,
      '--plan',
      plan,
      '--emulate-gpu',
      '--max-new-tokens',
      '40',
      '--json',
    );
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(lines).toMatchObject(
      goldens.map(({ image, caption }) => ({ file_name: picture(image), text: caption.text, tokens: caption.ids })),
    );
  });

  it('accepts the map of the article, written by hand', async () => {
    const map = await scratchFile(
      'hand.json',
      JSON.stringify({
        query_tokens: 'cpu',
        vision_model: 'cpu',
        qformer: 'cpu',
        language_projection: 'cpu',
        language_model: 0,
      }),
    );
    const { code, stdout } = await run(
      picture('shape-01.png'),
      picture('shape-02.png'),
      '--plan',
      map,
      '--emulate-gpu',
    );
    expect(code).toBe(0);
    expect(stdout).toBe(
      [1, 2].map((i) => `${picture(goldens[i]?.image ?? '')}\t${goldens[i]?.caption.text}\n`).join(''),
    );
  });

  it('answers a question', async () => {
    const { stdout } = await run(picture('shape-00.png'), '--question', 'how big is the ring?', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ text: goldens[0]?.vqa.text, tokens: goldens[0]?.vqa.ids });
  });

  it('searches with beams over batches, as transformers does one by one', async () => {
    const flags = ['--beams', '5', '--num-captions', '2', '--max-new-tokens', '40', '--batch', '8', '--json'];
    const { code, stdout } = await run(`${DEMO}/pictures`, ...flags);
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { tokens: number[]; answers: unknown[] });
    expect(lines.map(({ tokens }) => tokens)).toEqual(goldens.map(({ caption }) => caption.beam5_ids));
    expect(lines.map(({ answers }) => answers.length)).toEqual(goldens.map(() => 2));
  });

  it('draws the same tokens from the same seed', async () => {
    const flags = ['--sample', '--top-k', '0', '--temperature', '3', '--seed', '7', '--num-captions', '3'];
    const [a, b] = await Promise.all([run(picture('shape-00.png'), ...flags), run(picture('shape-00.png'), ...flags)]);
    expect(a.code).toBe(0);
    expect(new Set(a.stdout.trimEnd().split('\n')).size).toBeGreaterThan(1);
    expect(a.stdout).toBe(b.stdout);
  });

  it('captions the rest of a batch that holds a broken picture, and keeps its record in its place', async () => {
    const broken = await scratchFile('broken-in-batch.png', '');
    const { code, stdout } = await run(
      picture('shape-05.png'),
      broken,
      picture('shape-12.png'),
      '--batch',
      '3',
      '--json',
    );
    expect(code).toBe(4);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(lines).toMatchObject([
      { text: goldens[5]?.caption.text },
      { file_name: broken, text: null, error: { code: 'IMAGE_UNREADABLE' } },
      { text: goldens[12]?.caption.text },
    ]);
  });

  it('quantises where it is allowed to, by budget and by plan, once', async () => {
    const env = { XDG_CACHE_HOME: join(scratch, 'cache') };
    const flags = ['--model', DEMO, picture('shape-00.png')];
    const budgeted = await command('blip2-run', [...flags, '--allow-quant', 'int8'], { env });
    expect(budgeted).toMatchObject({ code: 0, stdout: `${goldens[0]?.caption.text}\n` });
    expect(budgeted.stderr).toMatch(/^int8 +\d+ blocks/m);
    // ONNX Runtime's usage reports would keep a device identifier here.
    expect(await readdir(join(scratch, 'cache'))).toEqual(['blip2-device-map']);
    const planned = await command('blip2-plan', [DEMO, '--ram', '16M', '--allow-quant', 'int4', '--json', '-q']);
    expect(Object.values((JSON.parse(planned.stdout) as { quant: object }).quant)).toContain('int4');
    const plan = await scratchFile('quant.json', planned.stdout);
    const kept = async () => (await readdir(join(scratch, 'cache/blip2-device-map'))).length;
    const counts = [await kept()];
    for (const _ of [1, 2]) {
      const finished = await command('blip2-run', [...flags, '--plan', plan], { env });
      expect(finished).toMatchObject({ code: 0, stderr: '' });
      counts.push(await kept());
    }
    expect(counts[1]).toBeGreaterThan(counts[0] ?? 0);
    expect(counts[2]).toBe(counts[1]);
  });

  it('takes pictures of another size, and ids that end an answer', async () => {
    const [caption] = goldens;
    const stop = caption?.caption.ids[2] ?? -1;
    const flags = ['--picture-size', '64x48', '--stop-id', String(stop), '--stop-id', '2', '--json'];
    const { code, stdout } = await run(picture('shape-00.png'), ...flags);
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { tokens: number[] }).tokens.slice(0, -1)).not.toContain(stop);
    const own = await run(picture('shape-00.png'), '--stop-id', String(stop), '--json');
    expect(JSON.parse(own.stdout)).toMatchObject({ tokens: caption?.caption.ids.slice(0, 3) });
  });

  it('writes words as they are made', async () => {
    // Counted where they are written: what arrives together on a pipe is a matter of who reads it when.
    const counting = `data:text/javascript,${encodeURIComponent(`
      const write = process.stdout.write.bind(process.stdout);
      let count = 0;
      process.stdout.write = (...args) => (count++, write(...args));
      process.on('exit', () => process.stderr.write('written ' + count + ' times'));
    `)}`;
    const args = [picture('shape-00.png'), picture('shape-01.png'), '-m', DEMO, '--stream'];
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--import', counting, script('blip2-run'), ...args],
      { cwd: ROOT },
    );
    expect(stdout).toBe(
      [0, 1].map((i) => `${picture(goldens[i]?.image ?? '')}\t${goldens[i]?.caption.text}\n`).join(''),
    );
    const [, times = '0'] = /written (\d+) times/.exec(stderr) ?? [];
    expect(Number(times)).toBeGreaterThan(2);
  });

  it('takes URLs among paths', async () => {
    const path = picture('shape-05.png');
    const bytes = await readFile(join(ROOT, path));
    const data = `data:image/png;base64,${bytes.toString('base64')}`;
    const file = pathToFileURL(join(ROOT, path)).href;
    const { code, stdout } = await run(file, data, 'http://127.0.0.1:1/nothing.png', '--json');
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { text: string | null });
    expect(code).toBe(4);
    expect(lines.map(({ text }) => text)).toEqual([goldens[5]?.caption.text, goldens[5]?.caption.text, null]);
  });

  it('says that a list on stdin holds no picture', async () => {
    for (const [stdin, ...flags] of [[''], ['\n\r\n', '--stream'], ['\uFEFF', '--json'], ['', '--embed']] as const) {
      const { code, stdout, stderr } = await command('blip2-run', ['-', '--model', DEMO, ...flags], { stdin });
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('INPUT_EMPTY');
    }
  });

  it('reads a list of pictures from stdin', async () => {
    const list = `\uFEFF${picture('shape-05.png')}\r\n\n${picture('shape-12.png')}`;
    const { stdout } = await command('blip2-run', ['-', '--model', DEMO], { stdin: list });
    expect(stdout.split('\n').map((line) => line.split('\t')[0])).toEqual([
      picture('shape-05.png'),
      picture('shape-12.png'),
      '',
    ]);
  });

  it('reports a broken picture, captions the others, and ends with 4', async () => {
    const broken = await scratchFile('broken.png', 'not a picture');
    const { code, stdout, stderr } = await run(picture('shape-05.png'), broken, picture('shape-12.png'));
    expect(code).toBe(4);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(stderr).toContain(broken);
    expect(stderr).toContain('1 of 3 pictures failed');
  });

  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ['no picture', []],
    ['a picture that is not there', ['nowhere.png']],
    ['a folder without pictures', ['src']],
    ['two ways to ask', [picture('shape-00.png'), '--question', 'a', '--prompt', 'b']],
    ['a plan and budgets', [picture('shape-00.png'), '--plan', 'x.json', '--vram', '1G']],
    ['an unknown flag', [picture('shape-00.png'), '--beamz', '2']],
    ['a number that is none', [picture('shape-00.png'), '--max-new-tokens', '0']],
    ['sampling flags without sampling', [picture('shape-00.png'), '--top-p', '0.9']],
    ['beams that are sampled', [picture('shape-00.png'), '--beams', '2', '--sample']],
    ['stopping early without beams', [picture('shape-00.png'), '--early-stopping', 'never']],
    ['a size that is none', [picture('shape-00.png'), '--picture-size', '64 by 64']],
    ['more captions than beams', [picture('shape-00.png'), '--beams', '2', '--num-captions', '3']],
    ['beams that are streamed', [picture('shape-00.png'), '--stream', '--preset', 'paper']],
    ['planning again without a budget', [picture('shape-00.png'), '--replan']],
    ['a plan that is not there', [picture('shape-00.png'), '--plan', 'nowhere.json']],
  ];
  let usage: readonly Finished[];
  beforeAll(async () => {
    usage = await commandsInTurn(wrong.map(([, args]) => ['blip2-run', ['--model', DEMO, ...args]]));
  });

  it.each(wrong.map(([what], i) => [what, i] as const))('%s is wrong usage', (_, i) => {
    const { code, stdout, stderr } = usage[i] ?? expect.fail('no answer');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: .+ \[\w+\]\n/);
  });

  it('refuses maps that cannot be run, and plans for another checkpoint', async () => {
    const other = 'test/fixtures/goldens/tiny-opt';
    const { stdout: ofOther } = await command('blip2-plan', [other, '--ram', '64M', '--json', '-q']);
    const { stdout: ofDemo } = await command('blip2-plan', [DEMO, '--ram', '64M', '--json', '-q']);
    const whole = JSON.parse(ofDemo) as { placements: unknown[] };
    const cases: readonly (readonly [string, string])[] = [
      ['PLAN_MISMATCH', ofOther],
      ['PLAN_INVALID', '{"schema": "something/1"}'],
      ['PLAN_INVALID', JSON.stringify({ ...whole, placements: whole.placements.slice(1) })],
      ['FILE_INVALID', '{'],
      ['MAP_UNCOVERED', '{"vision_model": "cpu"}'],
      ['MAP_DEVICE', '{"": "gpu"}'],
      ['MAP_BLOCK_CUT', '{"": "cpu", "vision_model.encoder.layers.0.mlp": 0}'],
      ['MAP_UNKNOWN_KEY', '{"": "cpu", "vision_modell": 0}'],
    ];
    for (const [code, text] of cases) {
      const plan = await scratchFile(`${code}.json`, text);
      const finished = await run(picture('shape-00.png'), '--plan', plan, '--emulate-gpu');
      expect({ code: finished.code, stderr: finished.stderr.split('\n')[0] }, text).toEqual({
        code: 2,
        stderr: expect.stringContaining(`[${code}]`),
      });
    }
  });

  it('refuses work that a plan has no room for, with the flags to plan again with', async () => {
    const planned = await command('blip2-plan', [DEMO, '--vram', '4M', '--json', '-q']);
    const plan = await scratchFile('small.json', planned.stdout);
    const flags = ['--batch', '16', '--beams', '5'];
    const refused = await run(`${DEMO}/pictures`, '--plan', plan, '--emulate-gpu', ...flags);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(
      /^error: the plan was made for --batch 1, --beams 1; --batch 16, --beams 5 would take .+ \[PLAN_MISMATCH\]\nPlan again for --batch 16, --beams 5, or ask for less\.\n$/,
    );
    const again = await command('blip2-plan', [DEMO, '--vram', '6M', ...flags, '--json', '-q']);
    const larger = await scratchFile('larger.json', again.stdout);
    expect((await run(`${DEMO}/pictures`, '--plan', larger, '--emulate-gpu', ...flags)).code).toBe(0);
  });

  it('plans for as many pictures at once as are fastest, and captions them so', async () => {
    const pictures = ['00', '01', '02', '03', '05'].map((number) => picture(`shape-${number}.png`));
    const alone = await run(...pictures, '--json', '-q');
    const lines = (text: string) =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { file_name: string; tokens: number[] });
    const batchOf = (stderr: string) => Number(/ batch (\d+), /.exec(stderr)?.[1]);
    for (const [flags, batch] of [
      [[], 5],
      [['--batch', 'auto'], 5],
      [['--batch', '3'], 3],
      [['--batch', '1'], 1],
    ] as const) {
      const many = await run(...pictures, '--vram', '6M', '--emulate-gpu', '--json', ...flags);
      expect(many.code).toBe(0);
      expect(batchOf(many.stderr)).toBe(batch);
      const tokens = (finished: { stdout: string }) =>
        lines(finished.stdout).map((line) => [line.file_name, line.tokens]);
      expect(tokens(many)).toEqual(tokens(alone));
    }
    const one = await run(picture('shape-00.png'), '--vram', '6M', '--emulate-gpu');
    expect(batchOf(one.stderr)).toBe(1);
  });

  it('says that a GPU is missing instead of running on the CPU in silence', async () => {
    const plan = await scratchFile('gpu.json', '{"": 0}');
    const { code, stderr } = await run(picture('shape-00.png'), '--plan', plan);
    expect(code).toBe(1);
    expect(stderr).toContain('the device map uses GPU 0');
    expect(stderr).toContain('[GPU_MISSING]');
    // Without a map there is none to speak of.
    const asked = await run(picture('shape-00.png'), '--provider', 'cuda');
    expect(asked.code).toBe(1);
    expect(asked.stderr).toMatch(
      /^error: --provider asks for a GPU, and none can be used here \(cuda: .* \[GPU_MISSING\]\n/,
    );
    expect(asked.stderr).toContain('Leave --provider out: all runs on the CPU then.');
  });

  it('ends quietly when its reader has had enough', async () => {
    const child = spawn(
      'sh',
      ['-c', `"${process.execPath}" "${script('blip2-run')}" ${DEMO}/pictures -m ${DEMO} | head -1`],
      { cwd: ROOT },
    );
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    child.stdout.resume();
    await new Promise((resolve) => child.on('close', resolve));
    expect(stderr).toBe('');
  });

  it.runIf(existsSync('/dev/full'))('says so where the answer cannot be written', async () => {
    const child = spawn(
      'sh',
      ['-c', `"${process.execPath}" "${script('blip2-run')}" ${DEMO}/pictures -m ${DEMO} > /dev/full`],
      {
        cwd: ROOT,
      },
    );
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: .*ENOSPC.* \[WRITE_FAILED\]\n$/);
  });

  it('stops at Ctrl-C with 130, after the pictures it has written', async () => {
    const child = spawn(
      process.execPath,
      [script('blip2-run'), ...Array<string>(200).fill(picture('shape-05.png')), '-m', DEMO],
      { cwd: ROOT },
    );
    let stdout = '';
    child.stdout.on('data', (text: Buffer) => {
      if (stdout === '') child.kill('SIGINT');
      stdout += text.toString();
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(code).toBe(130);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(stdout.split('\n').length).toBeLessThan(200);
  });
});
