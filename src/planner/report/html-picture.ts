/** The picture and its tables as one HTML file that needs no script and no network. */
import { formatSize } from '../size.js';
import type { PlanDocument } from '../plan/plan-document.js';
import { deviceName } from './picture-data.js';
import { escapeXml, formatMs } from './picture-text.js';
import { svgPicture, type PictureOptions } from './svg-picture.js';

const STYLE = `
:root{color-scheme:light dark;--bg:#fff;--ink:#1a1a1a;--line:#ccc}
@media(prefers-color-scheme:dark){:root{--bg:#16181c;--ink:#eee;--line:#444}}
@media print{:root{--bg:#fff;--ink:#000}}
body{background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:0 auto;padding:12px}
svg{width:100%;height:auto}h1{font-size:20px}h2{font-size:16px}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:3px 8px;border-bottom:1px solid var(--line);white-space:nowrap}th:first-child,td:first-child{text-align:left}
pre{overflow-x:auto;font-size:12px}`;

export function htmlPicture(plan: PlanDocument, options: PictureOptions = {}): string {
  const title = `Placement of ${plan.checkpoint.id || 'a checkpoint'}`;
  const { status, gap } = plan.solver;
  const proof =
    status === 'optimal'
      ? 'Proven: no placement within these budgets is predicted to be faster.'
      : status === 'stopped'
        ? `No placement within these budgets is predicted to be more than ${(100 * gap).toFixed(2)} % faster.`
        : 'A map written by hand.';
  return (
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>${escapeXml(title)}</title><style>${STYLE}</style></head><body>\n<h1>${escapeXml(title)}</h1>\n<p>${proof}</p>\n` +
    `${svgPicture(plan, options)}<h2>Memory</h2>\n${memoryTable(plan)}\n<h2>Blocks</h2>\n${blockTable(plan)}\n` +
    `<h2>Device map</h2>\n<pre>${escapeXml(JSON.stringify(plan.device_map, null, 2))}</pre>\n${notes(plan)}</body></html>\n`
  );
}

function memoryTable(plan: PlanDocument): string {
  const head = [
    'device',
    'budget',
    'weights',
    'float32 copies',
    'caches',
    'activations',
    'staging',
    'overhead',
    'reserve',
    'free',
  ];
  const rows = plan.devices
    .filter((device) => device.weightBytes > 0 || typeof device.id === 'number')
    .map((device) => [
      deviceName(device.id),
      device.budgetBytes === null ? 'no limit' : formatSize(device.budgetBytes),
      ...[
        device.weightBytes,
        device.conversionBytes,
        device.cacheBytes + device.bufferBytes,
        device.activationBytes,
        device.stagingBytes,
        device.overheadBytes,
        device.reserveBytes,
      ].map(formatSize),
      device.freeBytes === null ? '' : formatSize(device.freeBytes),
    ]);
  return table(head, rows);
}

/** Runs of like blocks in one row: ninety rows of the same would hide the cuts. */
function blockTable(plan: PlanDocument): string {
  const rows: { first: string; last: string; count: number; key: string; bytes: number; ms: number; where: string }[] =
    [];
  for (const placement of plan.placements) {
    const scheme = plan.quant[placement.block];
    const where = `${placement.execution} on ${deviceName(placement.runsOn)}${scheme === undefined ? '' : `, ${scheme}`}`;
    const key = `${placement.block.replace(/\d+$/, '')} ${where} ${placement.device}`;
    const last = rows.at(-1);
    if (last?.key === key) {
      last.last = placement.block;
      last.count += 1;
      last.bytes += placement.weightBytes;
      last.ms += placement.latencyMs;
    } else {
      const { block, weightBytes, latencyMs } = placement;
      rows.push({ first: block, last: block, count: 1, key, bytes: weightBytes, ms: latencyMs, where });
    }
  }
  return table(
    ['block', 'where', 'weights', 'per call'],
    rows.map((row) => [
      row.count === 1 ? row.first : `${row.first} to ${row.last.split('.').at(-1) ?? ''}`,
      row.where,
      formatSize(row.bytes),
      formatMs(row.ms),
    ]),
  );
}

function notes(plan: PlanDocument): string {
  const items = [...plan.warnings.map((text) => `Warning: ${text}`), ...plan.assumptions];
  if (items.length === 0) return '';
  return `<h2>Assumed</h2>\n<ul>${items.map((text) => `<li>${escapeXml(text)}</li>`).join('')}</ul>\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]) =>
    `<tr>${row.map((text) => `<${tag}>${escapeXml(text)}</${tag}>`).join('')}</tr>`;
  return `<div class="wide"><table><thead>${cells('th', head)}</thead><tbody>${rows.map((row) => cells('td', row)).join('')}</tbody></table></div>`;
}
