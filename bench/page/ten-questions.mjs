/**
 * What the page answers to the ten questions of `web/README.md`: predictions move with the planner.
 *
 *   npm run build && node bench/page/ten-questions.mjs [chromium]
 */
import { chromium } from 'playwright-core';

const QUESTIONS = {
  '1 which fits 8 GB': ['opt-2.7b', 'flan-t5-xl', 'opt-6.7b', 'flan-t5-xxl'].map(
    (name) => `gpu=1xRTX+3070&model=Salesforce/blip2-${name}`,
  ),
  '2 opt-6.7b on 16 GB': ['', '@14GiB'].map((memory) => `gpu=1xRTX+4080${memory}&model=Salesforce/blip2-opt-6.7b`),
  '3 the largest on 24 GB': ['gpu=1xRTX+3090&model=Salesforce/blip2-flan-t5-xxl'],
  '4 what chunk on 12 GB': ['gpu=1xRTX+3060', 'gpu=1xRTX+3060&batch=auto'],
  '5 16 GB of RAM, 12 GB of VRAM': [
    'opt-6.7b',
    'flan-t5-xxl',
    'flan-t5-xxl&dtype=bfloat16',
    'flan-t5-xxl&quant=int8',
  ].map((name) => `gpu=1xRTX+3060&ram=16GiB&model=Salesforce/blip2-${name}`),
  '6 4 GiB and 24': ['gpu=1xRTX+3070@4GiB,1xRTX+3090&model=Salesforce/blip2-flan-t5-xxl'],
  '7 batch 64, batch 8': ['gpu=1xRTX+3060&batch=64', 'gpu=1xRTX+3060&batch=8'],
  '8 split by memory': ['gpu=1xRTX+3070,1xRTX+3060&model=Salesforce/blip2-opt-6.7b'],
  '9 the sweep': [''],
  '10 quantised': ['gpu=1xRTX+3060&model=Salesforce/blip2-flan-t5-xxl&quant=int4'],
};

const [executablePath = '/usr/bin/chromium'] = process.argv.slice(2);
const page = new URL('../../dist/web/index.html', import.meta.url);
const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
const browser = await chromium.launch({ executablePath, args });
try {
  for (const [question, settings] of Object.entries(QUESTIONS)) {
    console.log(`\n${question}`);
    for (const hash of settings) console.log(`  #${hash}\n    ${(await answer(hash)).join('\n    ')}`);
  }
} finally {
  await browser.close();
}

/** The verdict, what each device holds, the strip in a sentence, the steps of the sweep, and what `auto` would take. */
async function answer(hash) {
  const tab = await browser.newPage({ viewport: { width: 1180, height: 900 } });
  await tab.goto(`${page}#${hash}`);
  await tab.waitForSelector('[data-standing=final]', { state: 'attached', timeout: 120_000 });
  await tab.getByText(/budgets planned/).waitFor({ timeout: 120_000 });
  const lines = ['.main', '.device h3', '.summary', '.runs li', '.steps li', '.beside > p'];
  const said = await tab.evaluate(
    (selectors) =>
      selectors.map((selector) => [...document.querySelectorAll(selector)].map((each) => each.textContent).join('; ')),
    lines,
  );
  await tab.close();
  return said.filter((text) => text !== '');
}
