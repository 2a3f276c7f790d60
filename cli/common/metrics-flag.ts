import type { Argv } from 'yargs';
import type { MetricsAddress } from '../../src/metrics/metrics-server.js';
import { usageError } from './main.js';
import { textFlag } from './flags.js';

export function metricsFlag<T>(parser: Argv<T>) {
  return parser.option('metrics', {
    ...textFlag(
      'Output:',
      'serve /metrics for Prometheus, /healthz and /readyz on [host]:port, such as :9400 (loopback alone)',
    ),
    coerce: address,
  });
}

function address(value: unknown): MetricsAddress | undefined {
  if (value === undefined) return undefined;
  const [, host = '', port] = /^(?:(.*):)?(\d{1,5})$/.exec(typeof value === 'string' ? value : '') ?? [];
  if (port !== undefined && Number(port) < 65_536) {
    return { host: host === '' ? '127.0.0.1' : host.replaceAll(/^\[|\]$/g, ''), port: Number(port) };
  }
  throw usageError(`--metrics takes [host]:port, such as :9400 or 0.0.0.0:9400, not ${JSON.stringify(value)}`);
}
