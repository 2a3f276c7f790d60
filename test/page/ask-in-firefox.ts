/**
 * The page in Firefox without a driver: Playwright's protocols want a Firefox of its own or a newer one than a stable system has.
 * A page of this test's own holds the built page in a frame, goes through the questions, and sends the answers back.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ROOT } from '../cli/command.js';

export interface BrowserAnswer {
  readonly command: string;
  readonly plan: string;
}

const HARNESS = `<!doctype html><iframe id="frame" width="1180" height="900"></iframe><script type="module">
const frame = document.querySelector('#frame');
const until = async (find) => {
  for (;;) {
    const found = find();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
const inside = (selector) => frame.contentDocument?.querySelector(selector);
const shown = async (form) => {
  const label = await until(() => [...frame.contentDocument.querySelectorAll('.segments label')].find((each) => each.textContent === form));
  label.querySelector('input').click();
  return (await until(() => inside('pre[aria-label="' + form + '"]'))).textContent;
};
const answers = [];
for (const question of await (await fetch('/questions')).json()) {
  frame.src = 'about:blank';
  await until(() => !inside('#page'));
  frame.src = '/index.html#' + question;
  await until(() => inside('[data-standing=final],[data-standing=fault]'));
  answers.push({ command: await shown('command'), plan: await shown('plan') });
}
await fetch('/answers', { method: 'POST', body: JSON.stringify(answers) });
</script>`;

/** @returns an answer for each question, in their order */
export async function askInFirefox(firefox: string, questions: readonly string[]): Promise<readonly BrowserAnswer[]> {
  const built = (name: string) => readFile(join(ROOT, 'dist/web', name));
  const files = new Map([
    ['/index.html', { type: 'text/html', content: await built('index.html') }],
    ['/highs.js', { type: 'text/javascript', content: await built('highs.js') }],
    ['/', { type: 'text/html', content: Buffer.from(HARNESS) }],
  ]);
  const profile = await mkdtemp(join(tmpdir(), 'page-test-firefox-'));
  let answered: (answers: readonly BrowserAnswer[]) => void;
  const answers = new Promise<readonly BrowserAnswer[]>((resolve) => (answered = resolve));
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? '');
    if (file !== undefined) {
      response.setHeader('Content-Type', `${file.type}; charset=utf-8`);
      response.end(file.content);
      return;
    }
    switch (request.url) {
      case '/questions':
        response.end(JSON.stringify(questions));
        return;
      case '/answers':
        void text(request).then((body) => answered(JSON.parse(body)));
        response.end();
        return;
      default:
        response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const address = `http://127.0.0.1:${port}/`;
  const child = spawn(firefox, ['--headless', '--no-remote', '--profile', profile, address], { stdio: 'ignore' });
  try {
    return await answers;
  } finally {
    child.kill();
    await new Promise((resolve) => child.once('close', resolve));
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true });
  }
}
