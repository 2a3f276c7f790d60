/** `blip2-run serve` as a process on any free port, and a request for it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../dist/cli/blip2-run.js', import.meta.url));
const PICTURE = fileURLToPath(new URL('../../models/demo/pictures/shape-00.png', import.meta.url));

/** @returns its address, which ends in /v1, its process, and a promise of its exit code */
export async function startServer(checkpoint, flags) {
  const args = [COMMAND, 'serve', '-m', checkpoint, '--port', '0', '--log', 'json', ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const exit = once(child, 'exit').then(([code]) => code);
  const lines = createInterface({ input: child.stderr });
  const url = await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const event = JSON.parse(line);
      if (event.event === 'listening') resolve(event.url);
    });
    void exit.then((code) => reject(new Error(`the server has ended with ${code}`)));
  });
  return { url, child, exit };
}

/** As clients send it, in JSON. */
export async function requestBody(options) {
  const url = `data:image/png;base64,${(await readFile(PICTURE)).toString('base64')}`;
  const content = [{ type: 'image_url', image_url: { url } }];
  return JSON.stringify({ model: 'any', messages: [{ role: 'user', content }], ...options });
}
