import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, DEMO, ROOT } from './command.js';

const FIXTURES = join(ROOT, 'test/fixtures/pictures');
/** What transformers answers to the two pictures of the demo. */
const CAPTIONS = ['a small red ring above a small red circle on a white background', 'a large orange diamond'];
const first = join(ROOT, DEMO, 'pictures/shape-00.png');
const seventh = join(ROOT, DEMO, 'pictures/shape-07.png');
const run = (...args: readonly string[]) => command('blip2-run', ['--model', DEMO, '--threads', '1', ...args]);

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-pictures-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** A folder of copies of one picture under these names. */
async function folder(name: string, ...files: readonly string[]): Promise<string> {
  const path = join(scratch, name);
  await mkdir(path);
  for (const file of files) {
    await mkdir(join(path, file, '..'), { recursive: true });
    await copyFile(first, join(path, file));
  }
  return path;
}

interface Line {
  readonly file_name: string;
  readonly text: string | null;
  readonly error?: { readonly code: string; readonly message: string };
}
const linesOf = (stdout: string): Line[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

describe('what save_to_disk of datasets writes', () => {
  /** As datasets 5.2 names it. */
  async function saved(name: string, ...splits: readonly string[]): Promise<string> {
    const path = await folder(name);
    if (splits.length > 0) await writeFile(join(path, 'dataset_dict.json'), JSON.stringify({ splits }));
    for (const split of splits.length === 0 ? [''] : splits) {
      await mkdir(join(path, split), { recursive: true });
      await writeFile(join(path, split, 'state.json'), '{}');
      await writeFile(join(path, split, 'data-00000-of-00001.arrow'), Buffer.from('ffffffffa0010000', 'hex'));
    }
    return path;
  }

  it.each([
    ['one', [], '', 'load_from_disk("SAVED").to_parquet("SAVED.parquet")'],
    ['splits', ['train', 'test'], '', 'load_from_disk("SAVED/train").to_parquet("SAVED/train.parquet")'],
    [
      'file',
      [],
      'data-00000-of-00001.arrow',
      'Dataset.from_file("SAVED/data-00000-of-00001.arrow").to_parquet("SAVED/data-00000-of-00001.parquet")',
    ],
  ])('is refused with what makes a .parquet of it: %s', async (name, splits, file, typed) => {
    const path = await saved(`saved '${name}'`, ...splits);
    for (const more of [[], ['--out', join(scratch, `out-${name}`)]]) {
      const { code, stderr } = await run(join(path, file), ...more);
      expect(code).toBe(2);
      expect(stderr).toContain('[USAGE]');
      expect(stderr).toContain(typed.replaceAll('SAVED', path.replaceAll("'", "'\\''")));
    }
  });
});

describe('a folder', () => {
  it('gives its pictures by all their usual names, those of its folders, and counts what it skips', async () => {
    const named = [
      'a.jpg',
      'b.JFIF',
      'c.jpe',
      'd.jpeg',
      'e.tif',
      'f.apng',
      'g.bmp',
      'h.PPM',
      'plain',
      'inside/deeper/g.webp',
      'x.png/h.png',
    ];
    const path = await folder('names', ...named, '.hidden.png', '.git/i.png', 'notes.txt', 'more.txt', 'old.psd');
    await writeFile(join(path, 'README'), 'not a picture');
    await symlink(path, join(path, 'round'));
    await symlink(first, join(path, 'linked.png'));
    execFileSync('mkfifo', [join(path, 'pipe.png')]);
    const { code, stdout, stderr } = await run(path, '--json');
    const found = linesOf(stdout);
    expect(found.map(({ file_name }) => file_name)).toEqual(
      [...named, 'linked.png'].toSorted().map((name) => join(path, name)),
    );
    expect(new Set(found.map(({ text }) => text))).toEqual(new Set([CAPTIONS[0]]));
    const skipped = '2 .txt, 2 hidden, 1 .psd, 1 FIFO or device, 1 link to a folder, 1 more';
    expect(stderr).toBe(`skipped in ${path}: ${skipped}\n`);
    expect(code).toBe(0);
  });

  it('is looked at alone with --no-recursive', async () => {
    const path = await folder('flat', 'a.png', 'inside/b.png');
    const { stdout, stderr } = await run(path, '--no-recursive', '--json');
    expect(linesOf(stdout).map(({ file_name }) => file_name)).toEqual([join(path, 'a.png')]);
    expect(stderr).toBe(`skipped in ${path}: 1 folder inside\n`);
  });

  it('without a picture is wrong usage, and says what it holds', async () => {
    const path = await folder('none', 'a.txt', '.b.png');
    const { code, stderr } = await run(path);
    expect(code).toBe(2);
    expect(stderr).toContain('holds no picture (skipped: ');
    expect(stderr).toContain('1 .txt');
    expect(stderr).toContain('1 hidden');
  });

  it('whose pictures lie in archives or tables, and a list that is named as if it were one, say how they are read', async () => {
    const path = await folder('inside', 'a.txt', '00000.tar');
    expect((await run(path)).stderr).toContain('are named themselves');
    const list = join(path, 'a.txt');
    expect((await run(list)).code).toBe(0);
    await writeFile(list, `${first}\n`);
    for (const flags of [[], ['--out', join(path, 'out')]]) {
      const { code, stderr } = await run(list, ...flags);
      expect(code).toBe(2);
      expect(stderr).toContain('comes on stdin');
    }
    for (const [name, hint] of [
      ['a.json', "jq -c '.[]'"],
      ['a.jsonl.gz', 'gunzip'],
    ] as const) {
      await writeFile(join(path, name), '[]');
      expect(await run(join(path, name))).toMatchObject({ code: 2, stderr: expect.stringContaining(hint) });
    }
  });
});

describe.skipIf(process.platform === 'win32' || process.platform === 'darwin')('names that are not UTF-8', () => {
  const latin = Buffer.from('caf\xe9.png', 'latin1');
  let path: string;
  beforeAll(async () => {
    path = await folder('latin', 'plain.png');
    await copyFile(seventh, Buffer.concat([Buffer.from(`${path}/`), latin]));
  });

  it('are captioned in a folder, under a URL that names them', async () => {
    const { code, stdout } = await run(path);
    const [one, other] = stdout.trimEnd().split('\n');
    expect(one).toBe(`file://${path}/caf%E9.png\t${CAPTIONS[1]} above a large green ring on a gray background`);
    expect(other).toBe(`${join(path, 'plain.png')}\t${CAPTIONS[0]}`);
    expect(code).toBe(0);
  });

  it('are captioned as an argument, by their URL, and in a list', async () => {
    const expected = `${CAPTIONS[1]} above a large green ring on a gray background\n`;
    const raw = Buffer.concat([Buffer.from(`${path}/`), latin]);
    // A shell hands the bytes on as they are.
    const asArgument = await command('blip2-run', ['--model', DEMO, raw.toString()]);
    expect(asArgument).toMatchObject({ code: 0, stdout: expected });
    expect(await run(`file://${path}/caf%E9.png`)).toMatchObject({ code: 0, stdout: expected });
    const listed = await command('blip2-run', ['--model', DEMO, '-'], {
      stdin: Buffer.concat([raw, Buffer.from('\n')]),
    });
    expect(listed).toMatchObject({ code: 0, stdout: expected });
  });

  it('are refused where an argument could stand for two', async () => {
    const two = await folder('two');
    for (const byte of ['\xe9', '\xe8']) {
      await copyFile(first, Buffer.from(`${two}/${byte}.png`, 'latin1'));
    }
    const { code, stderr } = await run(join(two, '\ufffd.png'));
    expect(code).toBe(2);
    expect(stderr).toContain('stands for 2 files whose names are not UTF-8');
  });
});

it('writes names with tabs and line breaks as URLs, so that a line stays a line', async () => {
  const path = await folder('controls', 'a\tb.png', 'c\nd.png', 'e\rf.png', 'plain name.png');
  const { code, stdout } = await run(path);
  const names = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
  expect(names.map(([, ...captions]) => captions)).toEqual(Array.from({ length: 4 }, () => [CAPTIONS[0]]));
  expect(names.map(([name]) => name)).toEqual([
    `file://${path}/a%09b.png`,
    `file://${path}/c%0Ad.png`,
    `file://${path}/e%0Df.png`,
    join(path, 'plain name.png'),
  ]);
  expect(code).toBe(0);
  expect(fileURLToPath(names[0]?.[0] ?? '')).toBe(join(path, 'a\tb.png'));
  const asked = await run(names[1]?.[0] ?? '');
  expect(asked.stdout).toBe(`${CAPTIONS[0]}\n`);
  const streamed = await run(path, '--stream');
  expect(streamed.stdout).toBe(stdout);
});

describe('what is piped in', () => {
  it.each([
    ['a picture', join(ROOT, DEMO, 'pictures/shape-00.png'), 'is a picture (PNG), not a list'],
    ['an SVG', join(FIXTURES, 'vector.svg'), 'is an SVG, '],
    ['an archive', join(FIXTURES, 'matrix.json.gz'), 'is binary data, not a list'],
  ])('%s, is refused in one line', async (_, file, message) => {
    const { code, stdout, stderr } = await command('blip2-run', ['--model', DEMO, '-'], {
      stdin: await readFile(file),
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.split('\n')).toHaveLength(3);
    expect(stderr).toContain(message);
  });

  it('is a list whatever its line breaks are', async () => {
    const list = `\r\n${first}\r\n\n${seventh}`;
    const { stdout } = await command('blip2-run', ['--model', DEMO, '-'], { stdin: list });
    expect(stdout.split('\n').map((line) => line.split('\t')[0])).toEqual([first, seventh, '']);
  });
});

describe('what is no file', () => {
  it('is refused at once, and the others are captioned', async () => {
    const pipe = join(scratch, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const both = await run(pipe, '/dev/zero', first, '--json');
    expect(both.code).toBe(4);
    expect(linesOf(both.stdout).map(({ error, text }) => error?.code ?? text)).toEqual([
      'IMAGE_UNREADABLE',
      'IMAGE_UNREADABLE',
      CAPTIONS[0],
    ]);
    expect(linesOf(both.stdout)[0]?.error?.message).toBe(`${pipe} is no regular file`);
  });
});

describe('a URL', () => {
  let server: Server;
  let address: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/headers.png') return;
      response.writeHead(200, { 'content-type': 'image/png' });
      if (request.url === '/body.png') {
        response.write('\x89PNG');
        return;
      }
      if (request.url === '/text.png') {
        response.end('no picture');
        return;
      }
      const more = (): void => {
        if (response.destroyed) return;
        response.write(Buffer.alloc(65_536), () => setImmediate(more));
      };
      more();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('that stalls or never ends is given up, with the reason, and the others are captioned', async () => {
    const stalls = ['headers', 'body'].map((name) => `${address}/${name}.png`);
    const stalled = await run(...stalls, first, '--json', '--fetch-timeout', '2');
    expect(stalled.code).toBe(4);
    expect(linesOf(stalled.stdout).map(({ error, text }) => error?.code ?? text)).toEqual([
      'IMAGE_TIMEOUT',
      'IMAGE_TIMEOUT',
      CAPTIONS[0],
    ]);
    const { code, stdout } = await run(
      `${address}/endless.png`,
      `${address}/text.png`,
      first,
      '--json',
      '--fetch-limit',
      '1M',
    );
    expect(code).toBe(4);
    expect(linesOf(stdout).map(({ error, text }) => error?.code ?? text)).toEqual([
      'IMAGE_TOO_LARGE',
      'IMAGE_UNREADABLE',
      CAPTIONS[0],
    ]);
    expect(linesOf(stdout)[0]?.error?.message).toBe(`${address}/endless.png has more than 1048576 bytes`);
  });

  it('says what it waits for, and names the flag in its words', async () => {
    const { code, stderr } = await run(`${address}/headers.png`, '--fetch-timeout', '7');
    expect(code).toBe(4);
    expect(stderr).toContain(`waiting for ${address}/headers.png\n`);
    expect(stderr).toContain(`error: ${address}/headers.png is not here after 7 s [IMAGE_TIMEOUT]\n`);
    expect(stderr).toContain('--fetch-timeout');
  });

  it('of bytes that are no picture is named in its error', async () => {
    const { stderr } = await run(`${address}/text.png`, first);
    expect(stderr).toContain(`error: ${address}/text.png: picture of 10 bytes cannot be read as a picture`);
  });

  it.each([
    ['--fetch-timeout', 'soon'],
    ['--fetch-timeout', '0'],
    ['--fetch-limit', '3G'],
  ])('%s %s is wrong usage', async (flag, value) => {
    expect((await run(first, flag, value)).code).toBe(2);
  });
});

it('refuses pictures of too many pixels before it decodes them', async () => {
  const path = join(scratch, 'bomb.gif');
  const screen = Buffer.from('GIF89a\0\0\0\0\0\0\0', 'latin1');
  screen.writeUInt16LE(13_000, 6);
  screen.writeUInt16LE(13_000, 8);
  await writeFile(path, Buffer.concat([screen, Buffer.from(',\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;', 'latin1')]));
  const { code, stdout } = await run(path, '--json');
  expect(code).toBe(4);
  expect(linesOf(stdout)[0]?.error).toEqual({
    code: 'IMAGE_TOO_LARGE',
    message: `${path} has 13000 x 13000 = 169000000 pixels, more than 89478485 pixels`,
  });
});
