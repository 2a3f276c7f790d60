import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashesIn, recordsIn } from '../bulk/bulk-runs.js';
import { command, DEMO, ROOT } from './command.js';

interface Golden {
  readonly image: string;
  readonly caption: { readonly text: string };
}

const goldens = JSON.parse(
  await readFile(join(ROOT, 'test/fixtures/goldens/demo/goldens.json'), 'utf8'),
) as readonly Golden[];
const texts = goldens.map(({ caption }) => caption.text);
const PICTURES = `${DEMO}/pictures`;
/** One thread waits for no other; models beside each other share what cores there are. */
const run = (...args: string[]) => {
  const threads = args.includes('--workers') ? [] : ['--threads', '1'];
  return command('blip2-run', ['--model', DEMO, '--max-new-tokens', '40', ...threads, ...args]);
};

let scratch: string;
let made = 0;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-bulk-test-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const fresh = (): string => join(scratch, `out${made++}`);

/** A folder of pictures of one's own. */
async function pictureFolder(): Promise<string> {
  const folder = fresh();
  await mkdir(folder);
  for (const { image } of goldens) await copyFile(join(ROOT, PICTURES, image), join(folder, image));
  return folder;
}

const visible = async (folder: string) => (await readdir(folder)).filter((name) => !name.startsWith('.')).toSorted();

describe('blip2-run --out', () => {
  it('writes a file per shard, as transformers captions them, and does nothing the second time', async () => {
    const out = fresh();
    const first = await run(PICTURES, '--out', out, '--shard-size', '6');
    expect(first).toMatchObject({ code: 0, stdout: '' });
    expect(first.stderr).toContain('16 of 16 pictures have captions');
    expect(first.stderr).not.toContain('before');
    expect(await visible(out)).toEqual(['00000.jsonl', '00001.jsonl', '00002.jsonl']);
    const records = await recordsIn(out);
    expect(records.map(({ file_name }) => file_name)).toEqual(goldens.map(({ image }) => `${PICTURES}/${image}`));
    expect(records.map(({ text }) => text)).toEqual(texts);
    const before = await hashesIn(out);
    const second = await run(PICTURES, '--out', out, '--shard-size', '6', '--json');
    expect(JSON.parse(second.stdout)).toMatchObject({ pictures: 16, captioned: 16, failed: 0, shardsLeft: 0 });
    expect(await hashesIn(out)).toEqual(before);
    await rm(join(out, '00002.jsonl'));
    const third = await run(PICTURES, '--out', out, '--shard-size', '6');
    expect(third.stderr).toContain('12 were done before, and their pictures not looked at again');
    expect(await hashesIn(out)).toEqual(before);
  });

  it('writes the same bytes whatever runs beside a picture, with several answers of each too', async () => {
    const beams = ['--beams', '4', '--num-captions', '3', '--length-penalty', '2'];
    const written = async (...flags: string[]) => {
      const out = fresh();
      expect(await run(PICTURES, '--out', out, '--shard-size', '6', ...beams, ...flags)).toMatchObject({ code: 0 });
      return hashesIn(out);
    };
    const alone = await written('--batch', '1');
    expect(await written('--batch', '5')).toEqual(alone);
    expect(await written('--workers', '2')).toEqual(alone);
  });

  it('refuses other settings and other pictures, with what differs', async () => {
    const out = fresh();
    await run(PICTURES, '--out', out);
    const before = await hashesIn(out);
    const asked = await run(PICTURES, '--out', out, '--question', 'what is it?', '--format', 'parquet', '--beams', '3');
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain('--question was null, is "what is it?"');
    expect(asked.stderr).toContain('--format was "jsonl", is "parquet"');
    expect(asked.stderr).toContain('--beams was null, is 3');
    const other = await run(`${PICTURES}/shape-00.png`, '--out', out);
    expect(other.code).toBe(2);
    expect(other.stderr).toContain(
      `holds a run of other pictures: 16 then, 1 now; the first that differs: ${PICTURES}/shape-01.png is gone`,
    );
    expect(await hashesIn(out)).toEqual(before);
  });

  it('refuses folders and flags that it would do harm with', async () => {
    const out = fresh();
    await mkdir(out);
    await writeFile(join(out, '00000.jsonl'), 'of somebody else');
    expect(await run(PICTURES, '--out', out)).toMatchObject({ code: 2 });
    expect(await readFile(join(out, '00000.jsonl'), 'utf8')).toBe('of somebody else');
    for (const wrong of [
      ['--workers', '2'],
      ['--out', fresh(), '--prefix', 'x'],
      ['--out', fresh(), '--shard', '2/2'],
      ['--out', fresh(), '--workers', '0'],
      ['--out', fresh(), '--existing', 'append'],
      ['--out', fresh(), '--sample'],
      ['--out', fresh(), '--stream'],
      ['--out', fresh(), '--match', 'a text'],
    ]) {
      expect(await run(PICTURES, ...wrong)).toMatchObject({ code: 2, stdout: '' });
    }
    expect((await run(join(ROOT, 'test/fixtures/bulk/plain.tar'))).stderr).toContain('--out');
  });

  it('keeps failed pictures as records, and runs them again when asked to', async () => {
    const folder = await pictureFolder();
    const [out, broken] = [fresh(), join(folder, 'shape-07.png')];
    await writeFile(broken, 'no picture');
    const flags = [folder, '--out', out, '--shard-size', '5'];
    expect(await run(...flags)).toMatchObject({ code: 4 });
    const records = await recordsIn(out);
    expect(records.map(({ text }) => text)).toEqual(texts.with(7, null as unknown as string));
    expect(records[7]?.error).toMatch(/^IMAGE_UNREADABLE: .*shape-07/);
    await copyFile(join(ROOT, PICTURES, 'shape-07.png'), broken);
    expect(await run(...flags)).toMatchObject({ code: 4 });
    const again = await run(...flags, '--retry-failed', '--json');
    expect(again.code).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ captioned: 16, failed: 0 });
    expect((await recordsIn(out)).map(({ text }) => text)).toEqual(texts);
  });

  it('captions with several models and in parts what one captions alone', async () => {
    const [alone, together, parts] = [fresh(), fresh(), fresh()];
    const flags = [PICTURES, '--shard-size', '3'];
    await run(...flags, '--out', alone);
    expect(await run(...flags, '--out', together, '--workers', '3')).toMatchObject({ code: 0 });
    const first = await run(...flags, '--out', parts, '--shard', '0/2', '--json');
    expect(JSON.parse(first.stdout)).toMatchObject({ pictures: 9, captioned: 9, shardsLeft: 3 });
    expect(await visible(parts)).toEqual(['00000.jsonl', '00002.jsonl', '00004.jsonl']);
    expect(await run(...flags, '--out', parts, '--shard', '1/2')).toMatchObject({ code: 0 });
    const expected = await hashesIn(alone);
    expect(await hashesIn(together)).toEqual(expected);
    expect(await hashesIn(parts)).toEqual(expected);
  });

  it('draws the same tokens in any shards, batches and models', async () => {
    const flags = [PICTURES, '--sample', '--seed', '7', '--temperature', '2', '--json'];
    const drawn = async (...others: string[]) => {
      const out = fresh();
      expect(await run(...flags, '--out', out, ...others)).toMatchObject({ code: 0 });
      return (await recordsIn(out)).map(({ text }) => text);
    };
    const first = await drawn();
    expect(await drawn('--shard-size', '3', '--batch', '2', '--workers', '2')).toEqual(first);
    expect(first).not.toEqual(texts);
  });
});

describe('blip2-run --format', () => {
  it('txt writes beside each picture, and leaves, replaces or continues what is there', async () => {
    const folder = await pictureFolder();
    await writeFile(join(folder, 'shape-03.txt'), 'by hand\n');
    const sidecars = async () => Promise.all(goldens.map(({ image }) => readFile(textOf(folder, image), 'utf8')));
    expect(await run(folder, '--format', 'txt', '--shard-size', '7')).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^15 of 16 pictures have new captions in .*; 1 had text files already/m) as string,
    });
    expect(await sidecars()).toEqual(texts.map((text) => `${text}\n`).with(3, 'by hand\n'));

    // A picture that came later; what has a text is left alone.
    await copyFile(join(ROOT, PICTURES, 'shape-00.png'), join(folder, 'later.png'));
    const later = await run(folder, '--format', 'txt', '--shard-size', '7', '--json');
    expect(JSON.parse(later.stdout)).toMatchObject({ captioned: 1, skipped: 16, failed: 0 });
    expect(await readFile(join(folder, 'later.txt'), 'utf8')).toBe(`${texts[0]}\n`);

    await rm(join(folder, 'later.png'));
    const affixes = ['--prefix', 'sks, ', '--suffix', ', flat', '--shard-size', '7'];
    await rm(join(folder, '.blip2-run'), { recursive: true });
    const append = [folder, '--format', 'txt', '--existing', 'append', ...affixes];
    for (const _ of [1, 2]) expect(await run(...append)).toMatchObject({ code: 0 });
    expect(await sidecars()).toEqual(
      texts.map((text, index) => `${index === 3 ? 'by hand' : text}, sks, ${text}, flat\n`),
    );
    // Others in their place are another run, which the first one's refusal leads to.
    const anew = [folder, '--format', 'txt', '--existing', 'overwrite'];
    const refused = await run(...anew);
    expect({ code: refused.code, hint: refused.stderr.includes('--beside') }).toEqual({ code: 2, hint: true });
    expect(await run(...anew, '--out', fresh(), '--beside')).toMatchObject({ code: 0 });
    expect(await sidecars()).toEqual(texts.map((text) => `${text}\n`));
  });

  it('txt writes into another folder as the pictures lie, and no two captions into one file', async () => {
    const folder = await pictureFolder();
    await mkdir(join(folder, 'x'));
    const out = fresh();
    expect(await run(`${folder}/shape-00.png`, folder, '--format', 'txt', '--out', out)).toMatchObject({ code: 2 });
    expect(await run(folder, '--format', 'txt', '--out', out)).toMatchObject({ code: 0 });
    expect(await visible(out)).toEqual(goldens.map(({ image }) => image.replace(/\..*/, '.txt')));
    await copyFile(join(folder, 'shape-00.png'), join(folder, 'shape-00.webp'));
    const twice = await run(folder, '--format', 'txt', '--out', fresh());
    expect(twice).toMatchObject({ code: 2 });
    expect(twice.stderr).toContain('shape-00.txt');
    const parquet = await run(join(ROOT, 'test/fixtures/bulk/hub.parquet'), '--format', 'txt', '--out', fresh());
    expect(parquet).toMatchObject({ code: 2 });
  });

  it('metadata writes one file into the pictures own folder, without the pictures that failed', async () => {
    const folder = await pictureFolder();
    await rename(join(folder, 'shape-00.png'), join(folder, 'train.png'));
    await writeFile(join(folder, 'shape-07.png'), 'no picture');
    expect(await run(folder, '--format', 'metadata', '--shard-size', '7')).toMatchObject({ code: 4 });
    const rows = (await readFile(join(folder, 'metadata.jsonl'), 'utf8')).trimEnd().split('\n');
    const images = goldens.map(({ image }, index) => ({ file_name: image, text: texts[index] }));
    expect(rows.map((row): unknown => JSON.parse(row))).toEqual([
      ...images.filter((_, index) => index !== 0 && index !== 7),
      { file_name: 'train.png', text: texts[0] },
    ]);
    // Its name alone would make the loader drop all captions.
    const card = join(folder, 'README.md');
    const written = await readFile(card, 'utf8');
    expect(written).toContain("path: '**'");
    const [, hash = ''] = /^ {2}description: captions (\w{16})$/m.exec(written) ?? [];
    await writeFile(card, `${written}\n# My shapes\n`);
    const other = fresh();
    expect(await run(folder, '--format', 'metadata', '--out', other)).toMatchObject({ code: 2 });
    await rm(join(folder, '.blip2-run'), { recursive: true });
    expect(await run(folder, '--format', 'metadata')).toMatchObject({ code: 2 });
    // datasets 5.2.0 gives each picture of the inner folder twice.
    await mkdir(join(folder, 'inner'));
    await writeFile(join(folder, 'inner/metadata.csv'), 'file_name,text\n');
    const twice = await run(folder, '--format', 'metadata', '--existing', 'overwrite');
    expect(twice).toMatchObject({ code: 2 });
    expect(twice.stderr).toMatch(/inner.metadata\.csv already \[OUTPUT_EXISTS\]/);
    await rm(join(folder, 'inner'), { recursive: true });
    const anew = await run(folder, '--format', 'metadata', '--existing', 'overwrite', '--prompt', 'a large');
    expect(anew).toMatchObject({ code: 4 });
    // By this the loader knows other captions from those that it has kept of the first.
    const changed = await readFile(card, 'utf8');
    expect(changed).toMatch(/^---\n[^]*\n---\n\n# My shapes\n$/);
    expect(changed).not.toContain(hash);
  });

  it.each(['webdataset', 'parquet'])('%s is captioned again as what it was made of', async (format) => {
    const folder = await pictureFolder();
    await writeFile(join(folder, 'shape-07.png'), 'no picture');
    const [out, again] = [fresh(), fresh()];
    expect(await run(folder, '--format', format, '--out', out, '--shard-size', '7')).toMatchObject({ code: 4 });
    const files = await visible(out);
    expect(files).toHaveLength(3);
    const read = await run(...files.map((file) => join(out, file)), '--out', again, '--shard-size', '4');
    expect(read.code).toBe(format === 'parquet' ? 4 : 0);
    const expected = texts.flatMap((text, index) => (index === 7 ? (format === 'parquet' ? [null] : []) : [text]));
    expect((await recordsIn(again)).map(({ text }) => text)).toEqual(expected);
  });

  it.each(['webdataset', 'parquet'])(
    '%s keeps pictures that have gone where failed ones are run again',
    async (format) => {
      const folder = await pictureFolder();
      const picture = (index: number) => join(folder, goldens[index]?.image ?? '');
      const list = join(folder, 'list.jsonl');
      await writeFile(list, goldens.map(({ image }) => `{"file_name":"${image}"}\n`).join(''));
      await writeFile(picture(7), 'no picture');
      const [out, again] = [fresh(), fresh()];
      const flags = [list, '--format', format, '--out', out, '--shard-size', '10'];
      expect(await run(...flags)).toMatchObject({ code: 4 });
      await copyFile(join(ROOT, PICTURES, 'shape-07.png'), picture(7));
      await rm(picture(0));
      await copyFile(picture(2), picture(1));
      const retried = await run(...flags, '--retry-failed', '--json');
      expect(JSON.parse(retried.stdout)).toMatchObject({ captioned: 16, failed: 0 });
      const files = (await visible(out)).map((file) => join(out, file));
      expect(await run(...files, '--out', again)).toMatchObject({ code: 0 });
      expect((await recordsIn(again)).map(({ text }) => text)).toEqual(texts);
    },
  );
});

describe('inputs of a run', () => {
  it('archives and tables, compressed or not, one after the other', async () => {
    const pictures = {
      'webdataset.tar': [0, 1, 4],
      'compressed.tar': [0, 4],
      'hub.parquet': [0, 1, 4],
      'zstd.parquet': [0, null, null, 4, 1, 1],
    };
    const out = fresh();
    const files = Object.keys(pictures).map((name) => join(ROOT, 'test/fixtures/bulk', name));
    expect(await run(...files, '--out', out, '--image-root', PICTURES)).toMatchObject({ code: 4 });
    const expected = Object.values(pictures).flat();
    expect((await recordsIn(out)).map(({ text }) => text)).toEqual(
      expected.map((picture) => (picture === null ? null : texts[picture])),
    );
  });

  it('a list on stdin, a list in a file, and both together', async () => {
    const list = join(scratch, 'list.jsonl');
    await writeFile(list, goldens.map(({ image }, id) => JSON.stringify({ id, path: image })).join('\n'));
    const out = fresh();
    const stdin = `${PICTURES}/shape-05.png\n${PICTURES}/missing.png\n`;
    const args = ['-m', DEMO, '--max-new-tokens', '40', '-', list, '--image-root', PICTURES, '--out', out];
    expect(await command('blip2-run', args, { stdin })).toMatchObject({ code: 4 });
    expect((await recordsIn(out)).map(({ text }) => text)).toEqual([texts[5], null, ...texts]);
    const cut = await run(join(ROOT, 'test/fixtures/bulk/cut-member.tar'), '--out', fresh());
    expect(cut).toMatchObject({ code: 2 });
    expect(cut.stderr).toContain('INPUT_INVALID');
  });
});

const textOf = (folder: string, image: string): string => join(folder, image.replace(/\.[a-z]+$/, '.txt'));
