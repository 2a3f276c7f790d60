import { spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file of the page in a folder that is its owner's alone; it stays, for the browser reads it when it likes. */
export async function keepPage(html: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'blip2-plan-')), 'plan.html');
  await writeFile(file, html);
  return file;
}

/** @returns whether what opens files here took it */
export function openInBrowser(file: string): Promise<boolean> {
  const [command, ...words] = opener();
  return new Promise((resolve) => {
    const child = spawn(command, [...words, file], { detached: true, stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}

function opener(): readonly [string, ...string[]] {
  switch (process.platform) {
    case 'darwin':
      return ['open'];
    case 'win32':
      // The first quoted word would be a title.
      return ['cmd', '/c', 'start', ''];
    default:
      return ['xdg-open'];
  }
}
