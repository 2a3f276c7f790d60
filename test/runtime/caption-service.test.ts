/** Requests that come one by one are answered as transformers answers each alone. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openCheckpoint } from '../../src/loader/index.js';
import * as Captioners from '../../src/runtime/captioner/captioner.js';
import type { CaptionRequest, ServiceOptions } from '../../src/runtime/captioner/service/caption-service.js';
import { DEMO, GOLDENS } from '../golden/golden.js';

const recorded = z.array(
  z.object({
    image: z.string(),
    caption: z.object({ ids: z.array(z.number()), text: z.string() }),
    vqa: z.object({ prompt: z.string(), ids: z.array(z.number()) }),
  }),
);
const ENTRIES = recorded.parse(JSON.parse(await readFile(join(GOLDENS, 'demo/goldens.json'), 'utf8')));
const checkpoint = await openCheckpoint(DEMO);
const pictures = await Promise.all(ENTRIES.map(({ image }) => readFile(join(DEMO, 'pictures', image))));

/** Processes of their own are those of the built package. */
const built = join(import.meta.dirname, '../../dist/src/runtime/captioner/captioner.js');
const inProcesses = (await import(pathToFileURL(built).href)) as typeof Captioners;

const asked = ENTRIES.flatMap(({ caption, vqa }, entry) => {
  const image = pictures[entry] ?? Buffer.of();
  return [
    { request: { image, ask: {}, generation: { maxNewTokens: 40 } }, ids: caption.ids },
    { request: { image, ask: { prompt: vqa.prompt }, generation: {} }, ids: vqa.ids },
    { request: { image, ask: {}, generation: { maxNewTokens: 2 } }, ids: caption.ids.slice(0, 2) },
  ] satisfies readonly { request: CaptionRequest; ids: readonly number[] }[];
});
const FIRST: CaptionRequest = { image: pictures[0] ?? Buffer.of(), ask: {}, generation: { maxNewTokens: 40 } };

describe.each([true, false])('in the caller’s process: %s', (inProcess) => {
  const open = async (options: ServiceOptions = {}) => {
    const { createCaptioner } = inProcess ? Captioners : inProcesses;
    const captioner = await createCaptioner(checkpoint, { threads: 1, inProcess });
    const service = captioner.service({ maxNewTokens: 40, ...options });
    return {
      service,
      async [Symbol.asyncDispose]() {
        await service[Symbol.asyncDispose]();
        await captioner[Symbol.asyncDispose]();
      },
    };
  };

  it.each([1, 3, 'auto'] as const)('answers as transformers, %s at once', async (batchSize) => {
    await using opened = await open({ batchSize });
    const answers = await Promise.all(asked.map(({ request }) => opened.service.caption(request)));
    expect(answers.map((caption) => caption.answers.map(({ ids }) => ids))).toEqual(asked.map(({ ids }) => [ids]));
    expect(opened.service.open).toBe(0);
    // One after the other, each alone.
    for (const { request, ids } of asked.slice(0, 6)) {
      expect((await opened.service.caption(request)).answers[0]?.ids).toEqual(ids);
    }
  });

  it('fails those alone that cannot be answered', async () => {
    await using opened = await open({ maxTextTokens: 20 });
    const { service } = opened;
    const wrong: readonly (readonly [Partial<CaptionRequest>, string])[] = [
      [{ image: Buffer.from('no picture') }, 'IMAGE_UNREADABLE'],
      [{ ask: { prompt: '<image>' } }, 'PROMPT_INVALID'],
      [{ ask: { prompt: 'word '.repeat(30) } }, 'PROMPT_TOO_LONG'],
      [{ generation: { maxNewTokens: 41 } }, 'OPTION_INVALID'],
      [{ generation: { doSample: true, temperature: 0 } }, 'OPTION_INVALID'],
      [{ generation: { doSample: true, numReturnSequences: 2 } }, 'OPTION_INVALID'],
    ];
    const outcomes = await Promise.allSettled([
      ...wrong.map(([part]) => service.caption({ ...FIRST, ...part })),
      service.caption(FIRST),
    ]);
    expect(outcomes).toEqual([
      ...wrong.map(([, code]) => ({ status: 'rejected', reason: expect.objectContaining({ code }) })),
      { status: 'fulfilled', value: expect.objectContaining({ text: ENTRIES[0]?.caption.text }) },
    ]);
  });

  it('ends one that is given up, at any time, and no other', async () => {
    await using opened = await open({ batchSize: 2 });
    const { service } = opened;
    const reason = new Error('not wanted');
    await expect(service.caption({ ...FIRST, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const early = new AbortController();
    const inTheMiddle = new AbortController();
    let tokens = 0;
    const onToken = (): void => {
      tokens += 1;
      if (tokens === 3) inTheMiddle.abort(reason);
    };
    const requests = [
      service.caption({ ...FIRST, signal: inTheMiddle.signal, onToken }),
      ...asked.slice(0, 9).map(({ request }) => service.caption(request)),
      service.caption({ ...FIRST, signal: early.signal }),
    ];
    early.abort(reason);
    const outcomes = await Promise.allSettled(requests);
    const rejected = { status: 'rejected', reason };
    expect(outcomes[0]).toEqual(rejected);
    expect(outcomes.at(-1)).toEqual(rejected);
    expect(outcomes.slice(1, -1).every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(tokens).toBeLessThanOrEqual(4);
  });

  it('ends an answer at a text', async () => {
    await using opened = await open();
    const told: string[] = [];
    const onToken = ({ text }: { readonly text: string }): void => void told.push(text);
    const { text, answers } = await opened.service.caption({ ...FIRST, stopTexts: ['ring'], onToken });
    expect(text).toBe('a small red ring');
    expect(told.join('')).toBe(text);
    expect(answers[0]).toMatchObject({ finish: 'stop', ids: ENTRIES[0]?.caption.ids.slice(0, 4) });
  });

  it('answers what it has when it is closed, and nothing more', async () => {
    const opened = await open({ batchSize: 1 });
    const requests = asked.slice(0, 6).map(({ request }) => opened.service.caption(request));
    await opened[Symbol.asyncDispose]();
    expect((await Promise.allSettled(requests)).every(({ status }) => status === 'fulfilled')).toBe(true);
    await expect(opened.service.caption(FIRST)).rejects.toMatchObject({ code: 'SERVICE_CLOSED' });
  });
});
