/** The built page in Chromium, opened from `file:`: choose, drag, copy, reload, drop, fail. */
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO, ROOT, command } from '../cli/command.js';
import { HubServer } from '../loader/hub-server.js';
import { chromiumPath, launchChromium } from './browsers.js';
import { PlannerPage, shellWords } from './planner-page.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const file = (name: string, content: string | Buffer) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(content),
});

/** A shard that ends with its header. */
function header(json: string): Buffer {
  const text = Buffer.from(json);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}

/** As text, because what runs in the page is no code of Node's. */
const inPage = <T>({ page }: PlannerPage, expression: string): Promise<T> => page.evaluate<T>(expression);

async function violations(opened: PlannerPage): Promise<string[]> {
  await inPage(opened, `${AXE}; null`);
  return inPage(
    opened,
    'axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" ")))',
  );
}

/** What of the demo model the page is asked to read. */
async function demoFiles(): Promise<string[]> {
  const names = (await readdir(join(ROOT, DEMO))).filter((name) => /config\.json$|safetensors/.test(name));
  return names.map((name) => join(ROOT, DEMO, name));
}

describe.skipIf(chromiumPath === null)('the page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => browser?.close());

  it('plans on opening, and shows bars that add up, the order, the sweep and what auto would take', async () => {
    const opened = await PlannerPage.open(browser);
    expect(await opened.settled()).toBe('final');
    const plan = JSON.parse(await opened.text('plan'));
    const said = await opened.said();
    for (const words of ['GPU 0', 'vision_model', 'In the order it runs', 'crossings', 'Proven'])
      expect(said).toContain(words);
    for (const { id, budgetBytes, freeBytes, ...parts } of plan.devices) {
      if (budgetBytes === null || budgetBytes === 0) continue;
      const taken = Object.entries(parts).reduce((sum, [, bytes]) => sum + (typeof bytes === 'number' ? bytes : 0), 0);
      expect(taken + freeBytes, String(id)).toBe(budgetBytes);
      const bar = `[...document.querySelectorAll('.device')].find((each) => each.textContent.includes('GPU ${id}')).querySelectorAll('.bar span')`;
      const widths = await inPage<number[]>(opened, `[...${bar}].map((each) => parseFloat(each.style.width))`);
      expect(widths.reduce((a, b) => a + b, 0)).toBeCloseTo(100, 3);
    }
    await opened.page.getByText(/budgets planned/).waitFor();
    expect(await opened.page.locator('.steps li').count()).toBeGreaterThan(1);
    await opened.page.getByText(/auto would/).waitFor();
    const { least, most } = plan.cost.rangeMs;
    const whisker = await inPage<[number, number]>(
      opened,
      `(({ left, width }) => [parseFloat(left), parseFloat(width)])(document.querySelector('.whisker').style)`,
    );
    expect(whisker[0]).toBeCloseTo((100 * least) / most, 3);
    expect(whisker[0] + whisker[1]).toBeCloseTo(100, 3);
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });

  it('marks what is set on the curve of the sweep, and which budgets are too small', async () => {
    const opened = await PlannerPage.open(browser, 'gpu=1xRTX+3060@15GiB&ram=2GiB&dtype=float32');
    await opened.settled();
    await opened.page.getByText(/budgets planned/).waitFor();
    const point = await inPage<number[]>(
      opened,
      `(({ cx, cy }) => [cx, cy].map(({ baseVal }) => baseVal.value))(document.querySelector('.today-point'))`,
    );
    // The curve ends at the largest budget, for which the plan is the same.
    const [start = '', ...stairs] = ((await opened.page.locator('.curve').getAttribute('d')) ?? '').split('H');
    expect(point[1]).toBeCloseTo(Number(stairs.at(-1)?.split('V')[1]), 3);
    const box = await inPage<number[]>(
      opened,
      `(({ x, width }) => [x, width].map(({ baseVal }) => baseVal.value))(document.querySelector('.too-little'))`,
    );
    expect((box[0] ?? 0) + (box[1] ?? 0)).toBeCloseTo(Number(start.slice(1).split(' ')[0]), 3);
    expect(point[0]).toBeGreaterThan((box[0] ?? 0) + (box[1] ?? 0));
    await opened.close();
  });

  it('keeps what is below where it is while a slider moves', async () => {
    const opened = await PlannerPage.open(browser, 'gpu=8xRTX+3060@10GiB');
    const tops = new Set<string>();
    for (const step of [76, 60, 28]) {
      await inPage(
        opened,
        `(() => { const slider = document.querySelector('input[type=range]'); slider.value = ${step}; slider.dispatchEvent(new Event('input', { bubbles: true })); })()`,
      );
      await expect.poll(() => opened.settled()).toBe('final');
      const all = `[...document.querySelectorAll('.answer h2')].slice(0, 4).map((each) => each.offsetTop).join()`;
      tops.add(await inPage<string>(opened, all));
    }
    expect(tops.size).toBe(1);
    await opened.close();
  });

  it('shows the answer beside the slider where it is below', async () => {
    const opened = await PlannerPage.open(browser, '', undefined, { viewport: { width: 360, height: 740 } });
    await opened.settled();
    const glance = opened.page.getByRole('button', { name: /^Fits/ });
    const isInView = (selector: string) =>
      inPage<boolean>(
        opened,
        `(({ top, bottom }) => top < innerHeight && bottom > 0)(document.querySelector('${selector}').getBoundingClientRect())`,
      );
    await opened.page.getByRole('slider').scrollIntoViewIfNeeded();
    expect(await isInView('.answer')).toBe(false);
    expect(await isInView('.glance')).toBe(true);
    expect(await opened.page.locator('.time strong').textContent()).toBe(
      (await glance.innerText()).split(/: |\n/)[1]?.trim(),
    );
    await glance.click();
    expect(await isInView('.time')).toBe(true);
    await opened.close();
  });

  it('is chosen by hand and by keys, and says it all in its address', async () => {
    const opened = await PlannerPage.open(browser);
    const { page } = opened;
    await page.getByLabel('Published model').selectOption('Salesforce/blip2-flan-t5-xl');
    await page.getByLabel('Card', { exact: true }).selectOption('RTX 3060');
    await page.getByLabel('Quantise').selectOption('int8');
    await page.getByLabel('Host memory').fill('16G');
    await page.getByLabel('Host memory').press('Enter');
    const slider = page.getByRole('slider');
    await slider.focus();
    for (let k = 0; k < 8; k++) await page.keyboard.press('ArrowLeft');
    await expect.poll(() => opened.settled()).toBe('final');
    expect(await slider.getAttribute('aria-valuetext')).toBe('11 GiB');
    const line =
      "npx blip2-plan Salesforce/blip2-flan-t5-xl --gpu 'RTX 3060' --vram 11GiB --count-context --ram 16GiB --allow-quant int8";
    expect(await opened.text('command')).toBe(line);
    const plan = await opened.text('plan');
    // The address follows a moment after the slider.
    await expect.poll(() => page.url()).toMatch(/RTX\+3060@11GiB.*quant=int8/);

    const again = await PlannerPage.open(browser, new URL(page.url()).hash.slice(1));
    await again.settled();
    expect(await again.text('plan')).toBe(plan);
    await page.reload();
    await opened.settled();
    expect(await opened.text('plan')).toBe(plan);
    for (const each of [opened, again]) await each.close();
  });

  it('answers every step of a dragged slider, and ends with the answer to the last', async () => {
    const opened = await PlannerPage.open(browser, 'gpu=2xRTX+3060@3GiB');
    const { page } = opened;
    const slider = page.getByRole('slider');
    const box = await slider.boundingBox();
    if (box === null) throw new Error('no slider');
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * 0.3, y);
    await page.mouse.down();
    for (let k = 0; k <= 10; k++) await page.mouse.move(box.x + box.width * (0.3 - 0.02 * k), y);
    await page.mouse.up();
    await opened.settled();
    const size = await slider.getAttribute('aria-valuetext');
    expect(await page.locator('.device h3').first().textContent()).toContain(size);
    const args = shellWords(await opened.text('command'));
    const plan = await opened.text('plan');
    await opened.close();
    const { stdout } = await command('blip2-plan', [...args, '--format', 'json', '-q']);
    expect(`${plan}\n`).toBe(stdout);
  });

  it('copies what it shows', async () => {
    const opened = await PlannerPage.open(browser, '', undefined, {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    await opened.settled();
    for (const form of ['command', 'device map', 'Python', 'plan', 'link'] as const) {
      const text = await opened.text(form);
      await opened.page.getByRole('button', { name: `Copy: ${form}` }).click();
      await opened.page.getByText('Copied').waitFor();
      expect(await inPage(opened, 'navigator.clipboard.readText()')).toBe(text);
    }
    await opened.close();
  });

  it('searches on with HiGHS until it is proven, as the command does', async () => {
    const opened = await PlannerPage.open(browser, 'gpu=3xRTX+3060@4GiB');
    await opened.settled();
    expect(await opened.said()).toContain('% better');
    // Whether it is offered beside the answer depends on the gap that the usual search leaves.
    await opened.page.getByText('More', { exact: true }).click();
    await opened.page.locator('#search').selectOption('10');
    await expect.poll(() => opened.page.url()).toContain('search=10');
    // What a search comes to before its time is up does not depend on the clock; the proof takes one second of CPU.
    await opened.goTo('gpu=3xRTX+3060@4GiB&search=60');
    await opened.settled();
    await opened.page.getByText('Proven').waitFor();
    const words = shellWords(await opened.text('command'));
    expect(words.slice(-2)).toEqual(['--time-limit', '60']);
    const plan = await opened.text('plan');
    expect(opened.complaints).toEqual([]);
    await opened.close();
    const { stdout } = await command('blip2-plan', [...words, '--format', 'json', '-q']);
    expect(`${plan}\n`).toBe(stdout);
  });

  it('offers the cheapest remedy as a button, which makes it fit', async () => {
    const opened = await PlannerPage.open(browser, 'model=nobody&gpu=1x@2MiB&ram=2MiB&context=no');
    await opened.drop(...(await demoFiles()));
    await opened.page.getByText('It does not fit').first().waitFor();
    await expect.poll(() => opened.settled()).toBe('final');
    await opened.page.locator('.remedies button').first().click();
    await opened.page.getByText(/Proven|% better/).waitFor();
    expect(await opened.said()).toContain('fits');
    await opened.close();
  });

  it('reads dropped files, headers alone', async () => {
    const opened = await PlannerPage.open(browser, 'gpu=1x@4MiB&context=no');
    await opened.drop(...(await demoFiles()));
    await opened.page.getByText('model.safetensors.index.json fits').waitFor();
    await opened.settled();
    const args = ['model.safetensors.index.json', '--vram', '4MiB', '--format', 'json', '-q'];
    const { stdout } = await command('blip2-plan', args, { cwd: join(ROOT, DEMO) });
    expect(`${await opened.text('plan')}\n`).toBe(stdout);
    await opened.close();
  });

  it('reads a folder that is dragged in, a file alone, and a BLIP-2 of which only config.json and index are there', async () => {
    const opened = await PlannerPage.open(browser, 'gpu=1x@4MiB&context=no');
    await opened.settled();
    const answer = async (checkpoint: string, cwd: string) => {
      const { stdout } = await command('blip2-plan', [checkpoint, '--vram', '4MiB', '--format', 'json', '-q'], { cwd });
      return stdout;
    };
    const demo = join(ROOT, DEMO);
    await opened.dragIn(demo);
    await opened.page.getByText('model.safetensors.index.json fits').waitFor();
    await opened.settled();
    expect(`${await opened.text('plan')}\n`).toBe(await answer('model.safetensors.index.json', demo));

    // Of no class that transformers has: what it would do stays open, and the plan stands.
    const alone = 'model-00002-of-00003.safetensors';
    await opened.dragIn(join(demo, alone));
    await opened.page.getByText(`${alone} fits`).waitFor();
    await opened.page.getByText('is known for its own classes only').waitFor();
    expect(await opened.settled()).toBe('final');
    const scratch = await mkdtemp(join(tmpdir(), 'page-test-'));
    await copyFile(join(demo, alone), join(scratch, alone));
    expect(`${await opened.text('plan')}\n`).toBe(await answer(alone, scratch));
    await rm(scratch, { recursive: true });

    await opened.dragIn(join(demo, 'config.json'), join(demo, 'model.safetensors.index.json'));
    await opened.page.getByText('Shapes are those that config.json implies').waitFor();
    await opened.settled();
    const { placements, device_map } = JSON.parse(await opened.text('plan'));
    const whole = JSON.parse(await answer('model.safetensors.index.json', demo));
    expect({ placements, device_map }).toEqual({ placements: whole.placements, device_map: whole.device_map });
    expect(await opened.text('command')).toBe('npx blip2-plan . --vram 4MiB');
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });

  it('reads a model on the hub, and says what a hub that does not answer means', async () => {
    const names = (await readdir(join(ROOT, DEMO))).filter((name) => /\.(json|safetensors)$/.test(name));
    const files = await Promise.all(names.map(async (name) => [name, await readFile(join(ROOT, DEMO, name))] as const));
    const server = await HubServer.start(Object.fromEntries(files));
    const hash = `model=owner/model&hub=${server.endpoint}&gpu=1x@5MiB&context=no`;
    const opened = await PlannerPage.open(browser, hash);
    await opened.page.getByText('owner/model fits').waitFor();
    const env = {
      HF_ENDPOINT: server.endpoint,
      HF_HUB_CACHE: join(ROOT, 'node_modules/.cache/page-test'),
      HF_TOKEN: '',
    };
    const { stdout } = await command('blip2-plan', ['owner/model', '--vram', '5MiB', '--format', 'json', '-q'], {
      env,
    });
    expect(`${await opened.text('plan')}\n`).toBe(stdout);
    expect(server.requests.every(({ authorization }) => authorization === undefined)).toBe(true);

    const other = await PlannerPage.open(browser, hash.replace('owner/model', 'owner/absent'));
    expect(await other.settled()).toBe('fault');
    expect(await other.said()).toContain('HUB_NOT_FOUND');
    await server.stop();
    const late = await PlannerPage.open(browser, hash);
    expect(await late.settled()).toBe('fault');
    expect(await late.said()).toContain('does not answer');
    for (const each of [opened, other, late]) await each.close();
  });

  it('shows what is wrong with hostile files as text, and stays usable', async () => {
    const opened = await PlannerPage.open(browser);
    const { page } = opened;
    const markup = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    const hostile: [string, ReturnType<typeof file>[]][] = [
      ['HEADER_TOO_SMALL', [file('model.safetensors', 'x')]],
      ['HEADER_TOO_LARGE', [file('model.safetensors', Buffer.alloc(64, 0xff))]],
      ['NOT_SAFETENSORS', [file('model.safetensors', '<!doctype html><title>Sign in</title>')]],
      ['CONFIG_INVALID', [file('config.json', `{"model_type": ${'['.repeat(500)}${']'.repeat(500)}}`)]],
      ['CONFIG_ALONE', [file('config.json', '{"model_type":"llama"}')]],
      ['AMBIGUOUS_CHECKPOINT', [file('config.json', '{}'), file('config.json', '{"model_type":"t5"}')]],
      ['UNSAFE_SHARD_PATH', [file('model.safetensors.index.json', '{"weight_map":{"a":"../../etc/x.safetensors"}}')]],
      [
        'MISSING_SHARD',
        [file('model.safetensors.index.json', `{"weight_map":{"a":"${markup.replaceAll('"', "'")}.safetensors"}}`)],
      ],
      [
        'CONFIG_INVALID',
        [
          file('config.json', '[]'),
          file('model.safetensors', header('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}')),
        ],
      ],
      ['CHECKPOINT_NOT_FOUND', [file(`${markup.replaceAll('/', '')}.bin`, 'x')]],
      [
        'INVALID_OFFSET',
        [
          file(
            'model.safetensors',
            header(`{${JSON.stringify(markup)}:{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`),
          ),
        ],
      ],
    ];
    for (const [code, files] of hostile) {
      await opened.drop(...files);
      await page.getByText(code, { exact: true }).waitFor();
      expect(await opened.settled()).toBe('fault');
    }
    expect(await opened.said()).toContain('onerror');
    expect(await page.locator('.answer img, .answer script').count()).toBe(0);
    expect(await page.title()).toBe('Where a model fits');
    await page.getByLabel('Published model').selectOption('Salesforce/blip2-opt-6.7b');
    await page.getByText('blip2-opt-6.7b fits').waitFor();
    await opened.close();
  });

  it('says what is wrong in the names of its own fields, and of a map who runs it best', async () => {
    const opened = await PlannerPage.open(browser, 'gpu=1xRTX+3070&quant=int8&engine=transformers');
    expect(await opened.settled()).toBe('fault');
    expect(await opened.said()).toContain('Leave “Quantise, if it pays” out');
    await opened.goTo('gpu=none&ram=16GiB');
    await opened.settled();
    await opened.text('command');
    expect(await opened.said()).toContain('with --profile none');
    await opened.text('Python');
    expect(await opened.said()).toContain('This map is the best for blip2-run');
    await opened.goTo('gpu=1xRTX+3070&engine=transformers');
    await opened.settled();
    await opened.text('Python');
    expect(await opened.said()).toContain('Loads the model with this map');
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });

  it('has no marks before its lists of memory, and of runs', async () => {
    const opened = await PlannerPage.open(browser);
    await opened.settled();
    const styles = await inPage<[name: string, style: string][]>(
      opened,
      "[...document.querySelectorAll('.legend, .runs, .lanes')].map((each) => [each.className, getComputedStyle(each).listStyleType])",
    );
    expect(new Set(styles.map(([name]) => name))).toEqual(new Set(['legend', 'lanes', 'runs']));
    expect(styles.filter(([, style]) => style !== 'none')).toEqual([]);
    await opened.close();
  });

  it('breaks a command between its words', async () => {
    const opened = await PlannerPage.open(browser, '', undefined, { viewport: { width: 1400, height: 900 } });
    await opened.settled();
    expect(await opened.text('command')).toContain(' --count-context');
    const heights = await opened.page
      .locator('pre .word')
      .evaluateAll((words) => words.map((each) => each.clientHeight));
    expect(new Set(heights).size).toBe(1);
    await opened.close();
  });

  it('has room for long names at 360 px', async () => {
    const opened = await PlannerPage.open(browser, '', undefined, { viewport: { width: 360, height: 740 } });
    const long = (name: string) => `${name}_with_a_name_that_somebody_gave_who_had_time`;
    const tensors = [0, 1].map((layer) => `${long('model')}.layers.${layer}.${long('projection')}.weight`);
    const infos = [...tensors, `${long('head')}.weight`].map((name, i) => {
      return [name, { dtype: 'F16', shape: [2, 2], data_offsets: [8 * i, 8 * i + 8] }];
    });
    const shard = Buffer.concat([header(JSON.stringify(Object.fromEntries(infos))), Buffer.alloc(24)]);
    await opened.drop(file(`${long('model')}.safetensors`, shard));
    await opened.page.getByText(`${long('model')}.safetensors fits`).waitFor();
    await opened.page.getByText(/budgets planned/).waitFor();
    await inPage(opened, "for (const each of document.querySelectorAll('details')) each.open = true");
    expect(await inPage(opened, 'document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    await opened.close();
  });

  it('takes a hostile address for what it is', async () => {
    const opened = await PlannerPage.open(
      browser,
      `gpu=999xT4&batch=%3Cimg+src=x%3E&ram=-1&hub=javascript:alert(1)&dtype=float8`,
    );
    await opened.settled();
    expect(await opened.page.locator('.faults li').count()).toBe(5);
    await opened.close();
  });

  it('has no violation of accessibility rules, light, dark and narrow, and nothing wider than 360 px', async () => {
    // The demo shows as many kinds of things as a large model, which is swept for five seconds.
    const views = [
      ['light', '', 1180, null],
      ['light', 'model=nobody&gpu=1x@1MiB&ram=1MiB&context=no', 360, 'It does not fit'],
      ['dark', 'model=nobody&gpu=2x@2MiB&quant=int8&context=no', 360, 'model.safetensors.index.json fits'],
      ['dark', 'model=nobody', 1180, null],
    ] as const;
    for (const [colorScheme, hash, width, saidOfDemo] of views) {
      const opened = await PlannerPage.open(browser, hash, undefined, {
        colorScheme,
        viewport: { width, height: 800 },
      });
      await opened.settled();
      if (saidOfDemo !== null) {
        await opened.drop(...(await demoFiles()));
        await opened.page.getByText(saidOfDemo).first().waitFor();
        await expect.poll(() => opened.settled()).toBe('final');
      }
      await inPage(opened, "for (const each of document.querySelectorAll('details')) each.open = true");
      expect(await violations(opened), `${colorScheme} ${hash}`).toEqual([]);
      expect(await inPage(opened, 'document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      await opened.close();
    }
  });
});

describe.skipIf(chromiumPath === null)('a report', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => browser?.close());

  it('of several cards holds HiGHS, and plans on as the command does', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'page-test-'));
    const report = join(folder, 'plan.html');
    await command('blip2-plan', [DEMO, '--vram', '4M', '--vram', '3M', '--vram', '3M', '-q', '-o', report]);
    const opened = await PlannerPage.open(browser, '', pathToFileURL(report).href);
    expect(await opened.settled()).toBe('final');
    await opened.page.locator('#gpu1-memory').fill('2MiB');
    await opened.page.locator('#gpu1-memory').press('Enter');
    await opened.page
      .getByText(/of 2 MiB/)
      .first()
      .waitFor();
    await opened.settled();
    const plan = await opened.text('plan');
    expect(opened.complaints).toEqual([]);
    await opened.close();
    const budgets = ['--vram', '4MiB', '--vram', '2MiB', '--vram', '2MiB'];
    const { stdout: json } = await command('blip2-plan', [DEMO, ...budgets, '-q', '-f', 'json']);
    expect(`${plan}\n`).toBe(json);
    await rm(folder, { recursive: true });
  });

  it.each([
    ['explain', '-'],
    ['plan', '-q', '--batch', '8', '--strategy', 'sequential'],
  ])('of a map that does not fit says so (%s)', async (...args) => {
    const folder = await mkdtemp(join(tmpdir(), 'page-test-'));
    const report = join(folder, 'given.html');
    await command('blip2-plan', [...args, DEMO, '--vram', '5M', '-o', report], { stdin: '{"": 0}' });
    const opened = await PlannerPage.open(browser, '', pathToFileURL(report).href);
    await opened.page.getByRole('heading', { name: 'does not fit' }).waitFor();
    expect(await opened.page.locator('.warning').allTextContents()).toContainEqual(
      expect.stringMatching(/^GPU 0 is .* over its budget\.$/),
    );
    expect(await opened.page.getByText('Prints the best map for these budgets').count()).toBe(1);
    expect(opened.complaints).toEqual([]);
    await opened.close();
    await rm(folder, { recursive: true });
  });

  it('is the page with the plan inside, and plans on', async () => {
    const { stdout: html } = await command('blip2-plan', [
      DEMO,
      '--vram',
      '4M',
      '--pin',
      'qformer=cpu',
      '-q',
      '-f',
      'html',
    ]);
    const { stdout: json } = await command('blip2-plan', [
      DEMO,
      '--vram',
      '4M',
      '--pin',
      'qformer=cpu',
      '-q',
      '-f',
      'json',
    ]);
    const opened = await PlannerPage.open(browser, '', `data:text/html;base64,${Buffer.from(html).toString('base64')}`);
    expect(await opened.settled()).toBe('final');
    expect(`${await opened.text('plan')}\n`).toBe(json);
    expect(await opened.said()).toContain('--pin qformer=cpu');
    await opened.page.locator('#gpu0-memory').fill('5MiB');
    await opened.page.locator('#gpu0-memory').press('Enter');
    await opened.page.getByText(/of 5 MiB/).waitFor();
    await opened.settled();
    const other = await command('blip2-plan', [DEMO, '--vram', '5M', '--pin', 'qformer=cpu', '-q', '-f', 'json']);
    expect(`${await opened.text('plan')}\n`).toBe(other.stdout);
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });
});
