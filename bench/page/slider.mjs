/**
 * How long the page takes: to its first plan, and after each step of a memory slider until it shows a plan that fits that step
 * (the best of the sweep so far), and until the search for that step has ended.
 *
 *   npm run build && node bench/page/slider.mjs [chromium] [steps]
 *
 * The thousand tensors are those of a Llama of 111 layers, whose file is all zeros and takes no space on disk.
 */
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { chromium } from 'playwright-core';

const [executablePath = '/usr/bin/chromium', count = '40'] = process.argv.slice(2);
const page = new URL('../../dist/web/index.html', import.meta.url);
const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

console.log(
  `first load: ${gzipSync(readFileSync(page), { level: 9 }).length} bytes gzipped, one request; load ${loadavg()[0].toFixed(1)}`,
);
const browser = await chromium.launch({ executablePath, args });
const folder = await mkdtemp(join(tmpdir(), 'page-bench-'));
try {
  const opening = [];
  for (let k = 0; k < 9; k++) opening.push(await timeToPlan());
  console.log(`opening to first plan: ${quantiles(opening)}`);
  const files = await llamaFiles();
  await steps('opt-2.7b, one RTX 3070', 'gpu=1xRTX+3070');
  await steps('1,002 tensors of a Llama, one RTX 3060', 'gpu=1xRTX+3060', files);
  await steps('opt-2.7b, eight RTX 3060', 'gpu=8xRTX+3060@3GiB');
} finally {
  await browser.close();
  await rm(folder, { recursive: true });
}

async function opened(hash) {
  const tab = await browser.newPage({ viewport: { width: 1180, height: 900 } });
  await tab.goto(`${page}#${hash}`);
  return tab;
}

/** From the beginning of the navigation, by the page's own clock. */
async function timeToPlan() {
  const tab = await opened('');
  const ms = await tab.evaluate(async () => {
    while (document.querySelector('[data-standing=final]') === null)
      await new Promise((resolve) => setTimeout(resolve, 1));
    return performance.now();
  });
  await tab.close();
  return ms;
}

async function steps(name, hash, dropped) {
  const tab = await opened(hash);
  if (dropped !== undefined) {
    await tab.waitForSelector('[data-standing=final]', { state: 'attached' });
    await tab.locator('input[type=file]').setInputFiles(dropped);
    await tab.getByText('model.safetensors fits').waitFor({ timeout: 60_000 });
  }
  const start = performance.now();
  await tab.getByText(/budgets planned/).waitFor({ timeout: 180_000 });
  const sweepMs = performance.now() - start;
  const found = await tab.evaluate(async (wanted) => {
    const tick = () => new Promise((resolve) => setTimeout(resolve, 1));
    const slider = document.querySelector('input[type=range]');
    const most = Number(slider.max);
    const places = Array.from({ length: wanted }, (_, k) => Math.floor((most * (k + 0.5)) / wanted));
    // Neither up nor down: every step is new to the page.
    const order = places.map((place, k) => [(k * 17) % wanted, place]).sort(([a], [b]) => a - b);
    const times = { shown: [], final: [], infeasible: 0 };
    for (const [, place] of order) {
      const begin = performance.now();
      slider.value = String(place);
      slider.dispatchEvent(new Event('input', { bubbles: true }));
      const isShown = () => {
        const size = slider.getAttribute('aria-valuetext');
        const head = document.querySelector('.device h3');
        return head !== null && head.textContent.includes(`of ${size}`);
      };
      const isFinal = () => document.querySelector('[data-standing=final]') !== null;
      await Promise.resolve();
      let shown = null;
      for (await tick(); !isFinal(); await tick()) if (shown === null && isShown()) shown = performance.now() - begin;
      times.shown.push(shown ?? performance.now() - begin);
      times.final.push(performance.now() - begin);
      if (document.querySelector('.remedies') !== null) times.infeasible += 1;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    return times;
  }, Number(count));
  console.log(
    `${name}: ${count} steps, ${found.infeasible} of which do not fit; sweep of budgets ${sweepMs.toFixed(0)} ms`,
  );
  console.log(`  a plan that fits is shown: ${quantiles(found.shown)}`);
  console.log(`  the search has ended:      ${quantiles(found.final)}`);
  await tab.close();
}

function quantiles(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => `${sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(0)} ms`;
  return `median ${at(0.5)}, 95th percentile ${at(0.95)}`;
}

async function llamaFiles() {
  const [hidden, inner, vocabulary, layers] = [1024, 2816, 32_000, 111];
  const config = {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    hidden_size: hidden,
    intermediate_size: inner,
    num_hidden_layers: layers,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    vocab_size: vocabulary,
    torch_dtype: 'float16',
    tie_word_embeddings: false,
  };
  const shapes = [['model.embed_tokens.weight', [vocabulary, hidden]]];
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}`;
    for (const part of ['q', 'k', 'v', 'o']) shapes.push([`${layer}.self_attn.${part}_proj.weight`, [hidden, hidden]]);
    for (const part of ['gate', 'up']) shapes.push([`${layer}.mlp.${part}_proj.weight`, [inner, hidden]]);
    shapes.push([`${layer}.mlp.down_proj.weight`, [hidden, inner]]);
    for (const part of ['input', 'post_attention']) shapes.push([`${layer}.${part}_layernorm.weight`, [hidden]]);
  }
  shapes.push(['model.norm.weight', [hidden]], ['lm_head.weight', [vocabulary, hidden]]);
  let end = 0;
  const header = {};
  for (const [name, shape] of shapes) {
    const begin = end;
    end += 2 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: 'F16', shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const path = join(folder, 'model.safetensors');
  const handle = await open(path, 'w');
  await handle.writeFile(Buffer.concat([length, json]));
  await handle.truncate(8 + json.length + end);
  await handle.close();
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  return [path, join(folder, 'config.json')];
}
