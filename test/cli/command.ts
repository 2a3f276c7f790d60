import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const DEMO = 'models/demo';

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Path of a built command: `npm test` builds before it tests. */
export function script(name: string): string {
  return fileURLToPath(new URL(`../../dist/cli/${name}.js`, import.meta.url));
}

/** Runs a built command as a process, in the repository's root; what was measured on this machine, and how wide its terminal is, does not count. */
export async function command(
  name: string,
  args: readonly string[],
  options: {
    readonly stdin?: string | Uint8Array;
    readonly env?: Readonly<Record<string, string>>;
    readonly cwd?: string;
  } = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [script(name), ...args], {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, BLIP2_PROFILE: 'none', COLUMNS: '', ...options.env },
    stdio: 'pipe',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A command may have seen enough before it has read all.
  child.stdin.on('error', () => undefined).end(options.stdin ?? '');
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  return { code, stdout, stderr };
}
