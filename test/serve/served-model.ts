/** `blip2-run serve` as a process, and the requests that are sent to it. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import OpenAI from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import * as z from 'zod';
import { modelsOf } from '../bulk/bulk-runs.js';
import { DEMO, ROOT, script } from '../cli/command.js';
import { GOLDENS } from '../golden/golden.js';

const event = z.looseObject({ event: z.string(), level: z.string(), message: z.string().optional() });
export type LogEvent = z.infer<typeof event>;

export interface HeldModel {
  readonly pid: number;
  release(signal?: 'SIGCONT' | 'SIGKILL'): void;
}

export interface ServedModel extends AsyncDisposable {
  /** Ends in `/v1`. */
  readonly url: string;
  readonly pid: number;
  readonly events: readonly LogEvent[];
  readonly client: OpenAI;
  stop(signal?: NodeJS.Signals): void;
  /** Holds the model still, so that nothing is answered meanwhile; null where the system does not tell its process: Linux does. */
  hold(): Promise<HeldModel | null>;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
}

/** Starts it on any free port, and waits until it listens. */
export async function serveDemo(
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<ServedModel> {
  const args = ['serve', '-m', DEMO, '--port', '0', '--log', 'json', '--threads', '1', ...flags];
  const child = spawn(process.execPath, [script('blip2-run'), ...args], {
    cwd: ROOT,
    env: { ...process.env, BLIP2_PROFILE: 'none', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const events: LogEvent[] = [];
  let held: HeldModel | null = null;
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const url = await new Promise<string>((resolve, reject) => {
    let rest = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const read = event.safeParse(readJson(line));
        if (!read.success) {
          reject(new Error(line));
          continue;
        }
        events.push(read.data);
        if (read.data.event === 'listening') resolve(z.string().parse(read.data['url']));
      }
    });
    void ended.then(({ code }) => reject(new Error(`the server has ended with ${code}`)));
  });
  return {
    url,
    pid: child.pid ?? 0,
    events,
    client: new OpenAI({ baseURL: url, apiKey: env['BLIP2_SERVE_TOKEN'] ?? 'none', maxRetries: 0 }),
    stop: (signal = 'SIGTERM') => void child.kill(signal),
    async hold() {
      const [pid] = await modelsOf(child.pid ?? 0);
      if (pid === undefined) return null;
      process.kill(pid, 'SIGSTOP');
      const release = (signal: NodeJS.Signals = 'SIGCONT') => {
        process.kill(pid, signal);
        held = null;
      };
      return (held = { pid, release });
    },
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      // One that is held would keep the pipe of the server open.
      held?.release();
      await ended;
    },
  };
}

function readJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

const recorded = z.array(
  z.object({
    image: z.string(),
    caption: z.object({ ids: z.array(z.number()), text: z.string() }),
    vqa: z.object({ prompt: z.string(), ids: z.array(z.number()), text: z.string() }),
  }),
);

/** What transformers answered, picture by picture. */
export const RECORDED = recorded.parse(JSON.parse(await readFile(join(GOLDENS, 'demo/goldens.json'), 'utf8')));

export type Asked = Pick<ChatCompletionCreateParamsNonStreaming, 'messages' | 'model'>;

export function dataUrl(image: string): string {
  const type = image.endsWith('.jpg') ? 'jpeg' : 'png';
  return `data:image/${type};base64,${readFileSync(join(ROOT, DEMO, 'pictures', image)).toString('base64')}`;
}

/** A request about a picture, with a text or without. */
export function asking(image: string, text = ''): Asked {
  return {
    model: 'demo',
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text },
          { type: 'image_url', image_url: { url: dataUrl(image) } },
        ],
      },
    ],
  };
}

/** Waits until a server has so many requests for captions without an answer. */
export async function untilOpen(requests: number | (() => number), url: string): Promise<void> {
  const open = async () => {
    const metrics = await (await fetch(url.replace('/v1', '/metrics'))).text();
    return Number(/\nblip2_requests_open (\d+)\n/.exec(metrics)?.[1]);
  };
  while ((await open()) !== (typeof requests === 'number' ? requests : requests())) await setTimeout(10);
}
