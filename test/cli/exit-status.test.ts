import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_STATUS } from '../../cli/common/exit-status.js';
import type { ErrorCode } from '../../src/error-codes.js';
import { command, DEMO } from './command.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-exit-'));
  await writeFile(join(folder, 'short.safetensors'), 'x');
  await writeFile(join(folder, 'no-picture.jpg'), 'x');
  await writeFile(join(folder, 'no-plan.json'), '{"schema": 1}');
});
afterAll(() => rm(folder, { recursive: true }));

const inFolder = (name: string) => join(folder, name);

describe('commands exit', () => {
  it('with 0 where all is done', async () => {
    expect(await command('blip2-plan', ['--vram', '4G', '-q'])).toMatchObject({ code: 0, stderr: '' });
  });

  it('with 4 where some inputs failed', async () => {
    const args = [inFolder('no-picture.jpg'), '--model', DEMO, '--json', '-q'];
    const { code, stdout } = await command('blip2-run', args);
    expect({ code, stdout: JSON.parse(stdout) as unknown }).toMatchObject({
      code: 4,
      stdout: { text: null, error: { code: 'IMAGE_UNREADABLE' } },
    });
  });

  const queued = (url: string) => [
    'queue',
    'add',
    inFolder('no-picture.jpg'),
    '--model',
    DEMO,
    '--out',
    inFolder('captions'),
    '--queue',
    url,
  ];
  const cases: [name: string, ErrorCode, status: number, () => [string, string[]]][] = [
    ['a damaged file', 'HEADER_TOO_SMALL', 1, () => ['blip2-shard', ['inspect', inFolder('short.safetensors')]]],
    ['a queue that is not there', 'QUEUE_UNREACHABLE', 1, () => ['blip2-run', queued('redis://127.0.0.1:1')]],
    ['an address of no queue', 'QUEUE_INVALID', 2, () => ['blip2-run', queued('http://127.0.0.1')]],
    ['an unknown flag', 'USAGE', 2, () => ['blip2-plan', ['--vrom', '4G']]],
    ['no checkpoint', 'CHECKPOINT_NOT_FOUND', 2, () => ['blip2-shard', ['inspect', inFolder('nothing')]]],
    [
      'no plan',
      'PLAN_INVALID',
      2,
      () => ['blip2-run', [inFolder('no-picture.jpg'), '--model', DEMO, '--plan', inFolder('no-plan.json')]],
    ],
    ['an output that is an input', 'WOULD_OVERWRITE_INPUT', 2, () => ['blip2-shard', ['merge', DEMO, DEMO]]],
    ['too little memory', 'DOES_NOT_FIT', 3, () => ['blip2-plan', ['--vram', '100M', '--ram', '100M', '-q']]],
  ];

  it.each(cases)('for %s with %s and %i', async (_, error, status, typed) => {
    const [name, args] = typed();
    const { code, stdout, stderr } = await command(name, [...args, '--json']);
    expect(stdout).toBe('');
    const line: unknown = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '');
    expect({ code, line }).toMatchObject({ code: status, line: { code: error } });
    expect(EXIT_STATUS[error]).toBe(status);
  });
});
