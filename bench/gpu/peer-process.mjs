/**
 * transformers_peer.py as a server: it imports once, and forks a process for every row. Importing takes ten seconds, which
 * every row would spend again.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export class PeerProcess {
  #child;
  #lines;
  #errors = '';

  constructor(python) {
    const script = join(import.meta.dirname, 'transformers_peer.py');
    this.#child = spawn(python, [script, '--serve'], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (bytes) => (this.#errors = (this.#errors + bytes).slice(-4000)));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Until it has imported what it needs. */
  async start() {
    await this.#next();
  }

  /**
   * @param words a command line of the peer
   * @returns what the row's process said, and its exit code or the number of the signal that ended it, negative
   */
  async perform(words, limitMs) {
    this.#errors = '';
    this.#child.stdin.write(`${JSON.stringify(words)}\n`);
    const said = [];
    let timer;
    try {
      for (;;) {
        const line = await this.#next();
        if (line.child !== undefined) timer = setTimeout(() => process.kill(line.child, 'SIGKILL'), limitMs);
        else if (line.ended !== undefined) return { said, code: line.ended, errors: this.#errors };
        else said.push(line);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #next() {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`the peer has ended: ${this.#errors.trim().split('\n').slice(-6).join(' | ')}`);
      if (value.startsWith('{')) return JSON.parse(value);
    }
  }

  end() {
    this.#child.stdin.end();
  }
}
