import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { ROOT } from '../cli/command.js';

/** The built page, as whoever opens it from a folder has it. */
export const PAGE = pathToFileURL(join(ROOT, 'dist/web/index.html')).href;

/** For what hangs: other work may make everything slow. */
const LIMIT_MS = 600_000;

export type Form = 'command' | 'device map' | 'Python' | 'plan' | 'link';

/** In the page: resolves once `find` finds something, which it looks for after every change of the document. */
const UNTIL = `(find) => new Promise((resolve) => {
  const look = () => {
    const found = find();
    if (!found) return;
    observer.disconnect();
    resolve(found);
  };
  const observer = new MutationObserver(look);
  observer.observe(document, { subtree: true, childList: true, attributes: true });
  look();
})`;

/** The page in a browser, and what tests ask of it. */
export class PlannerPage {
  readonly page: Page;
  /** What the page itself complained of. */
  readonly complaints: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
  }

  static async open(browser: Browser, hash = '', address = PAGE, options = {}): Promise<PlannerPage> {
    const context = await browser.newContext({ viewport: { width: 1180, height: 900 }, ...options });
    context.setDefaultTimeout(LIMIT_MS);
    // Of what the page's policy forbids, the console may say nothing.
    await context.addInitScript(
      `addEventListener('securitypolicyviolation', ({ violatedDirective }) => console.error('forbidden: ' + violatedDirective))`,
    );
    const opened = new PlannerPage(await context.newPage());
    await opened.page.goto(hash === '' ? address : `${address}#${hash}`);
    return opened;
  }

  /** Other settings, as whoever edits the address goes to them. */
  async goTo(hash: string): Promise<void> {
    // An address without settings means the usual ones, which have to be left first.
    await this.leave();
    await this.page.goto(`${PAGE}#${hash}`);
  }

  /** Ends its workers: a page that has answered goes on with its sweep. */
  async leave(): Promise<void> {
    await this.page.goto('about:blank');
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  /** Ends when the search has: with a plan, or with what is wrong. */
  async settled(): Promise<'final' | 'fault'> {
    const status = this.page.locator('[data-standing=final],[data-standing=fault]');
    await status.waitFor({ state: 'attached', timeout: LIMIT_MS });
    return (await status.getAttribute('data-standing')) === 'final' ? 'final' : 'fault';
  }

  /**
   * Command and plan of the answer, then leaves: read in the page as soon as they are there, because its workers go on to
   * compare and to sweep until it is left. null where something is wrong.
   */
  async takeAnswer(): Promise<{ readonly command: string; readonly plan: string } | null> {
    const answer = await this.page.evaluate<{ command: string; plan: string } | null>(`(async () => {
      const until = ${UNTIL};
      const status = await until(() => document.querySelector('[data-standing=final],[data-standing=fault]'));
      if (status.dataset.standing === 'fault') return null;
      const shown = async (form) => {
        [...document.querySelectorAll('.segments label')].find((each) => each.textContent === form).querySelector('input').click();
        return (await until(() => document.querySelector('pre[aria-label="' + form + '"]'))).textContent;
      };
      return { command: await shown('command'), plan: await shown('plan') };
    })()`);
    if (answer !== null) await this.leave();
    return answer;
  }

  /** What is shown to copy. */
  async text(form: Form): Promise<string> {
    // Wherever it is just then: tests of forms alone are not about the mouse.
    await this.page.getByRole('radio', { name: form, exact: true }).dispatchEvent('click');
    return (await this.page.locator(`pre[aria-label="${form}"]`).textContent()) ?? '';
  }

  async drop(...files: readonly (string | { name: string; mimeType: string; buffer: Buffer })[]): Promise<void> {
    await this.page.locator('input[type=file]').setInputFiles(files as string[]);
  }

  /** As from a file manager, folders as well: what the mouse lets go of over the page. */
  async dragIn(...paths: readonly string[]): Promise<void> {
    const devtools = await this.page.context().newCDPSession(this.page);
    const data = { items: [], files: [...paths], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
      await devtools.send('Input.dispatchDragEvent', { type, x: 400, y: 300, data });
    await devtools.detach();
  }

  async said(): Promise<string> {
    return this.page.locator('.answer').innerText();
  }
}

/** The arguments that a shell makes of the command that the page shows. */
export function shellWords(line: string): string[] {
  const words = line.replace(/^npx blip2-plan /, '').matchAll(/'([^']*)'|(\S+)/g);
  return [...words].map(([, quoted, bare]) => quoted ?? bare ?? '');
}
