/** The captioner whose model has a process of its own, as built: a process cannot be made of a TypeScript source. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type * as Loader from '../../src/loader/index.js';
import type { AnswerToken } from '../../src/runtime/engine/captioner-options.js';
import type * as ForkModel from '../../src/runtime/captioner/process/fork-model.js';
import type * as Runtime from '../../src/runtime/index.js';

const ROOT = join(import.meta.dirname, '../..');
const DEMO = join(ROOT, 'models/demo');
const built = (path: string): string => pathToFileURL(join(ROOT, 'dist/src', path)).href;
const runtime = (await import(built('runtime/index.js'))) as typeof Runtime;
const loader = (await import(built('loader/index.js'))) as typeof Loader;

interface Entry {
  readonly image: string;
  readonly caption: { readonly ids: number[]; readonly text: string };
}
const entries = JSON.parse(await readFile(join(ROOT, 'test/fixtures/goldens/demo/goldens.json'), 'utf8')) as Entry[];
const [first, second] = entries;
if (first === undefined || second === undefined) throw new Error('nothing recorded');
const pathOf = ({ image }: Entry): string => join(DEMO, 'pictures', image);

type Captioner = Awaited<ReturnType<typeof runtime.createCaptioner>>;
const create = async (): Promise<Captioner> =>
  runtime.createCaptioner(await loader.openCheckpoint(DEMO), { threads: 1 });

describe('a captioner in a process of its own', () => {
  let captioner: Captioner;
  beforeAll(async () => {
    captioner = await create();
  });
  afterAll(async () => {
    await captioner[Symbol.asyncDispose]();
  });

  it('captions as transformers does, and leaves the caller without ONNX Runtime', async () => {
    const texts = [];
    for await (const { text } of captioner.caption(entries.map(pathOf), { batchSize: 8, maxNewTokens: 40 })) {
      texts.push(text);
    }
    expect(texts).toEqual(entries.map(({ caption }) => caption.text));
    const loaded = process.platform === 'linux' ? await readFile('/proc/self/maps', 'utf8') : '';
    expect(loaded).not.toContain('onnxruntime');
  });

  it.skipIf(process.platform !== 'linux')('sees the cards that it is given, by the numbers of its caller', async () => {
    const checkpoint = await loader.openCheckpoint(DEMO);
    const children = async () => (await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')).split(' ');
    const before = process.env['CUDA_VISIBLE_DEVICES'];
    for (const [callers, seen] of [
      [undefined, '2,0'],
      ['5,GPU-a,7', '7,5'],
    ] as const) {
      if (callers === undefined) delete process.env['CUDA_VISIBLE_DEVICES'];
      else process.env['CUDA_VISIBLE_DEVICES'] = callers;
      const others = await children();
      await using _ = await runtime.createCaptioner(checkpoint, { threads: 1, visibleGpus: [2, 0] });
      const child = (await children()).find((pid) => !others.includes(pid));
      const variables = (await readFile(`/proc/${child}/environ`, 'utf8')).split('\0');
      expect(variables.filter((each) => each.startsWith('CUDA_VISIBLE'))).toEqual([`CUDA_VISIBLE_DEVICES=${seen}`]);
    }
    if (before === undefined) delete process.env['CUDA_VISIBLE_DEVICES'];
    else process.env['CUDA_VISIBLE_DEVICES'] = before;
  });

  it.skipIf(process.platform !== 'linux')('takes the process that was forked ahead, where that will do', async () => {
    const { forkAhead } = (await import(built('runtime/captioner/process/fork-model.js'))) as typeof ForkModel;
    const checkpoint = await loader.openCheckpoint(DEMO);
    const children = async () => (await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')).trim().split(' ');
    const others = await children();
    const added = async () => (await children()).filter((pid) => !others.includes(pid));
    for (const [change, isTaken] of [
      [() => undefined, true],
      [(pid: number) => process.kill(pid, 'SIGKILL'), false],
    ] as const) {
      forkAhead(undefined);
      const [ahead = ''] = await added();
      change(Number(ahead));
      await vi.waitFor(async () => expect(await added()).toEqual(isTaken ? [ahead] : []));
      await using taker = await runtime.createCaptioner(checkpoint, { threads: 1 });
      const used = await added();
      expect(used.length).toBe(1);
      expect(used[0] === ahead).toBe(isTaken);
      for await (const { text } of taker.caption(pathOf(first))) expect(text).toBe(first.caption.text);
    }
    forkAhead(undefined);
    const [ahead] = await added();
    await using _ = await runtime.createCaptioner(checkpoint, { threads: 1, visibleGpus: [] });
    await vi.waitFor(async () => expect(await added()).not.toContain(ahead));
  });

  it('takes paths, URLs, bytes and pixels, from an array or one after the other', async () => {
    const path = pathOf(first);
    const bytes = await readFile(path);
    const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const server = createServer((request, response) => {
      if (request.url === '/picture') response.end(bytes);
      else response.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      const sources = [
        path,
        pathToFileURL(path),
        bytes,
        `data:image/png;base64,${bytes.toString('base64')}`,
        new URL(`http://127.0.0.1:${port}/picture`),
        `http://127.0.0.1:${port}/picture`,
        { data, width: info.width, height: info.height },
        { image: path, prompt: '' },
      ];
      const oneByOne = async function* () {
        for (const source of sources) yield await Promise.resolve(source);
      };
      for (const pictures of [sources, oneByOne()]) {
        const captions = [];
        for await (const { index, text } of captioner.caption(pictures)) captions.push([index, text]);
        expect(captions).toEqual(sources.map((_, index) => [index, first.caption.text]));
      }
      const missing = captioner.caption(`http://127.0.0.1:${port}/nothing`);
      await expect(missing.next()).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND', details: { status: 404 } });
    } finally {
      server.close();
    }
    const short = captioner.caption({ data: new Uint8Array(11), width: 2, height: 2 });
    await expect(short.next()).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
  });

  it('streams tokens as they are made', async () => {
    const pictures = [pathOf(first), pathOf(second)];
    const ids: number[][] = [[], []];
    const texts = ['', ''];
    const onToken = ({ index, id, text }: AnswerToken): void => {
      ids[index]?.push(id);
      texts[index] += text;
    };
    const captions = [];
    for await (const { text } of captioner.caption(pictures, { onToken, maxNewTokens: 40, batchSize: 2 })) {
      captions.push(text);
    }
    expect(captions).toEqual([first.caption.text, second.caption.text]);
    expect(ids).toEqual([first.caption.ids, second.caption.ids]);
    expect(texts).toEqual(captions);
  });

  it('stops within one token when told, and goes on with the next call', async () => {
    const control = new AbortController();
    const seen: number[] = [];
    const running = captioner.caption(pathOf(first), {
      signal: control.signal,
      onToken: ({ id }) => {
        seen.push(id);
        if (seen.length === 2) control.abort(new Error('enough'));
      },
    });
    await expect(running.next()).rejects.toThrow('enough');
    const next = await captioner.caption(pathOf(second)).next();
    expect(next.value).toMatchObject({ text: second.caption.text });
    expect(seen).toHaveLength(2);
  });

  it('passes on what goes wrong: in the model, in the options, in the caller', async () => {
    const missing = captioner.caption('no/such/picture.png').next();
    await expect(missing).rejects.toMatchObject({ name: 'Blip2Error', code: 'IMAGE_NOT_FOUND' });
    await expect(captioner.caption(pathOf(first), { maxNewTokens: 0 }).next()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    const failing = () => {
      throw new Error('mine');
    };
    await expect(captioner.caption(pathOf(first), { onToken: failing }).next()).rejects.toThrow('mine');
    expect((await captioner.caption(pathOf(first)).next()).value).toMatchObject({ text: first.caption.text });
  });
});

describe('a matcher in a process of its own', () => {
  const folder = join(ROOT, 'test/fixtures/goldens/tiny-retrieval');

  it('compares and embeds as transformers does, passes on errors, and stops when told', async () => {
    const recorded = JSON.parse(await readFile(join(folder, 'end-to-end.json'), 'utf8')) as readonly {
      readonly picture: string;
      readonly text: string;
      readonly probability: number;
    }[];
    await using matcher = await runtime.createMatcher(await loader.openCheckpoint(folder), { threads: 1 });
    const texts = recorded.map(({ text }) => text);
    for (const [index, { picture, probability }] of recorded.entries()) {
      const matches = await matcher.match(join(DEMO, 'pictures', picture), texts);
      expect(matches[index]?.probability).toBeCloseTo(probability, 4);
    }
    const [vector] = await matcher.embedImage(pathOf(first));
    expect(Math.hypot(...(vector ?? []))).toBeCloseTo(1, 5);
    await expect(matcher.embedImage('no/such/picture.png')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    const control = new AbortController();
    const matching = matcher.match(pathOf(first), texts, { signal: control.signal });
    control.abort(new Error('enough'));
    await expect(matching).rejects.toThrow('enough');
    expect(await matcher.embedTexts(texts)).toHaveLength(texts.length);
    const loaded = process.platform === 'linux' ? await readFile('/proc/self/maps', 'utf8') : '';
    expect(loaded).not.toContain('onnxruntime');
  });
});

describe('the process', () => {
  it('refuses a device map as it starts', async () => {
    const plan = new Map([['', 0]]);
    const starting = runtime.createCaptioner(await loader.openCheckpoint(DEMO), { plan });
    await expect(starting).rejects.toMatchObject({ code: 'GPU_MISSING' });
  });

  const children = async () => {
    const list = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
    return list.trim().split(' ').filter(Boolean).map(Number);
  };

  it.runIf(process.platform === 'linux')('leaves Ctrl-C to the caller', async () => {
    const before = await children();
    await using captioner = await create();
    const child = (await children()).find((pid) => !before.includes(pid));
    if (child === undefined) throw new Error('no process was started');
    const interrupt = () => void process.kill(child, 'SIGINT');
    const { value } = await captioner.caption(pathOf(first), { onToken: interrupt }).next();
    expect(value).toMatchObject({ text: first.caption.text });
  });

  it.runIf(process.platform === 'linux')('says so when it is killed', async () => {
    const before = await children();
    await using captioner = await create();
    const child = (await children()).find((pid) => !before.includes(pid));
    if (child === undefined) throw new Error('no process was started');
    const captioning = captioner.caption(pathOf(first), { onToken: () => void process.kill(child, 'SIGKILL') }).next();
    await expect(captioning).rejects.toMatchObject({ code: 'PROCESS_ENDED' });
    await expect(captioner.caption(pathOf(first)).next()).rejects.toMatchObject({ code: 'PROCESS_ENDED' });
  });

  it('does not keep a caller from ending that forgets it', async () => {
    const code = `
      import { createCaptioner } from ${JSON.stringify(built('runtime/index.js'))};
      import { openCheckpoint } from ${JSON.stringify(built('loader/index.js'))};
      const captioner = await createCaptioner(await openCheckpoint(${JSON.stringify(DEMO)}), { threads: 1 });
      await captioner.caption(${JSON.stringify(pathOf(first))}, { unsendable: () => 1 }).next().catch(() => undefined);
      for await (const { text } of captioner.caption(${JSON.stringify(pathOf(first))})) console.log(text);`;
    const caller = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    caller.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    const [exitCode] = (await once(caller, 'close')) as [number | null];
    expect([exitCode, printed.trim()]).toEqual([0, first.caption.text]);
  });
});
