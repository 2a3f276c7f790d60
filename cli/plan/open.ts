import { spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT, type CommandContext } from '../common/main.js';
import { createParser, parseArgs } from '../common/parser.js';
import { makePlan } from './make-plan.js';
import { writeOutput } from './output.js';
import { planFlags, tellPlan } from './plan.js';
import { emptyPage } from './report-page.js';
import { hideFlags, RARE_FLAGS, REQUEST_LISTS } from './request-flags.js';
import { readSweep } from './sweep-table.js';

const parser = hideFlags(
  planFlags(createParser('blip2-plan open', '$0 [checkpoint]', 'The planner as a page in the browser.')),
  [...RARE_FLAGS, 'beams', 'max-new-tokens', 'strategy', 'format', 'json'],
)
  .example('$0', 'the page to choose in')
  .example('$0 --gpu 3060', 'with the plan of opt-2.7b for that card')
  .example('$0 ./any-model --vram 12G -o plan.html', 'into a file, which is the page and the plan')
  .epilogue('Takes what blip2-plan plan takes as well.');

/** `blip2-plan open`: the page alone, or with a plan inside where there are budgets. */
export async function open({ argv }: CommandContext): Promise<number> {
  if (argv.length === 0) return showPage(emptyPage());
  const args = await parseArgs(parser, argv, REQUEST_LISTS);
  if (args === null) return EXIT.ok;
  const made = await makePlan(args, 'html', args.sweep === undefined ? null : readSweep(args.sweep));
  if (args.output === undefined) return showPage(await keepPage(made.text));
  await writeOutput(made.text, args.output, args.force === true);
  tellPlan(made, 'html', args.quiet);
  return EXIT.ok;
}

/** Opens the page, and says where it is. */
async function showPage(file: string): Promise<number> {
  process.stdout.write(`${file}\n`);
  if (!(await openInBrowser(file))) process.stderr.write('nothing here opens files: open it in a browser by hand\n');
  return EXIT.ok;
}

/** A file of the page in a folder that is its owner's alone; it stays, for the browser reads it when it likes. */
async function keepPage(html: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'blip2-plan-')), 'plan.html');
  await writeFile(file, html);
  return file;
}

/** @returns whether what opens files here took it */
function openInBrowser(file: string): Promise<boolean> {
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
