import { schemeIn } from '../../../src/planner/plan/document/scheme-in.js';
import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import { deviceName } from '../../../src/planner/report/picture-data.js';
import { formatMs } from '../../../src/planner/report/format-ms.js';
import { weightSize } from '../../../src/planner/report/placement-tip.js';
import { formatSize } from '../../../src/size.js';
import { Card } from './card.js';

/** The numbers behind the pictures. */
export function PlanTables({ plan }: { plan: PlanDocument }) {
  return (
    <Card title="The numbers">
      <details>
        <summary>Memory by device</summary>
        <Table {...memoryTable(plan)} caption="Memory by device" />
      </details>
      <details>
        <summary>Blocks in the order they run</summary>
        <Table {...blockTable(plan)} caption="Blocks" />
      </details>
      <details open={plan.assumptions.length > 0}>
        <summary>What is assumed</summary>
        <ul>
          {plan.assumptions.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      </details>
    </Card>
  );
}

interface TableProps {
  readonly head: readonly string[];
  /** Columns of words, the first ones; the others are numbers. */
  readonly words: number;
  readonly rows: readonly (readonly string[])[];
}

function Table({ head, words, rows, caption }: TableProps & { readonly caption: string }) {
  return (
    // Scrolls sideways, so that keys have to reach it.
    <div class="wide-table" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <thead>
          <tr>
            {head.map((text, c) => (
              <th key={text} scope="col" class={c < words ? 'words' : ''}>
                {text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, r) => (
            <tr key={r}>
              {row.map((text, c) =>
                c === 0 ? (
                  <th key={c} scope="row" class="words">
                    {text}
                  </th>
                ) : (
                  <td key={c} class={c < words ? 'words' : ''}>
                    {text}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function memoryTable({ devices }: PlanDocument): TableProps {
  return {
    words: 1,
    head: [
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
    ],
    rows: devices
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
        ].map((bytes) => (bytes === 0 ? '–' : formatSize(bytes))),
        device.freeBytes === null ? '–' : formatSize(device.freeBytes),
      ]),
  };
}

interface BlockRow {
  readonly first: string;
  last: string;
  count: number;
  bytes: number;
  keptBytes: number;
  ms: number;
  readonly where: string;
}

/** Runs of like blocks in one row: ninety rows of the same would hide the cuts. */
function blockTable(plan: PlanDocument): TableProps {
  const rows: (BlockRow & { readonly key: string })[] = [];
  for (const { block, device, execution, runsOn, weightBytes, keptBytes = 0, latencyMs } of plan.placements) {
    const scheme = schemeIn(plan, block);
    const where = `${execution} on ${deviceName(runsOn)}${scheme === null ? '' : `, ${scheme}`}`;
    const key = `${block.replace(/\d+$/, '')} ${where} ${device}`;
    const last = rows.at(-1);
    if (last?.key === key) {
      last.last = block;
      last.count += 1;
      last.bytes += weightBytes;
      last.keptBytes += keptBytes;
      last.ms += latencyMs;
    } else rows.push({ first: block, last: block, count: 1, key, bytes: weightBytes, keptBytes, ms: latencyMs, where });
  }
  return {
    words: 2,
    head: ['block', 'where', 'weights', 'a call'],
    rows: rows.map((row) => [
      row.count === 1 ? row.first : `${row.first} to ${row.last.split('.').at(-1) ?? ''}`,
      row.where,
      weightSize(row.bytes, row.keptBytes),
      formatMs(row.ms),
    ]),
  };
}
