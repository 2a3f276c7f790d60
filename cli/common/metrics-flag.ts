import type { Argv } from 'yargs';
import type { MetricsAddress } from '../../src/metrics/metrics-server.js';
import { usageError } from './main.js';

export function metricsFlag<T>(parser: Argv<T>) {
  return parser.option('metrics', {
    type: 'string',
    nargs: 1,
    group: 'Output:',
    coerce: address,
    describe: 'serve /metrics for Prometheus, /healthz and /readyz on [host]:port, such as :9400 (loopback alone)',
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
