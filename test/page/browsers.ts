/** Browsers of this machine: those that a system's packages install, since npm's own downloads need another network. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const FIREFOX = ['firefox-esr', 'firefox'];

/** Path of Chromium; null where there is none, which is said aloud. */
export const chromiumPath = found(CHROMIUM);
/** Path of Firefox; null where there is none. */
export const firefoxPath = found(FIREFOX);

if (chromiumPath === null) {
  process.stderr.write('\n*** NO CHROMIUM HERE: THE PAGE IS NOT TESTED (apt-get install chromium) ***\n\n');
}

export function launchChromium(): Promise<Browser> {
  // Compiling HiGHS anew for speed takes up to a second of CPU in each worker that loads it, and tests ask each for few answers.
  const args = ['--js-flags=--wasm-tiering-budget=2000000000'];
  // A container's root has no sandbox to go into.
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  return chromium.launch({ executablePath: chromiumPath ?? '', args });
}

function found(names: readonly string[]): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path)) ?? null;
}
