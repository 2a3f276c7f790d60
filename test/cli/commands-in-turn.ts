import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';
import { ROOT, script, type Finished } from './command.js';

export type CommandLine = readonly [name: string, args: readonly string[]];

const finishedJson = z.array(z.object({ code: z.int(), stdout: z.string(), stderr: z.string() }));

/**
 * How built commands end, of many lines that are answered at once: one process runs them in turn, since to start one takes most
 * of the time of such a line. Whatever signals, pipes and stdin have a part in takes `command`.
 */
export async function commandsInTurn(
  lines: readonly CommandLine[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly columns?: number } = {},
): Promise<Finished[]> {
  const asked = {
    lines: lines.map(([name, args]) => [script(name), ...args]),
    columns: options.columns,
  };
  const program = fileURLToPath(new URL('in-turn.mjs', import.meta.url));
  const running = promisify(execFile)(process.execPath, [program, JSON.stringify(asked)], {
    cwd: ROOT,
    env: { ...process.env, BLIP2_PROFILE: 'none', ...options.env },
    maxBuffer: Infinity,
  });
  running.child.stdin?.end();
  const { stdout } = await running;
  return finishedJson.length(lines.length).parse(JSON.parse(stdout));
}
