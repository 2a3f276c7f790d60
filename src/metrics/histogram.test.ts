import { describe, expect, it } from 'vitest';
import { Metrics } from './metrics.js';

describe('a histogram', () => {
  it('counts in each bucket what is no larger than its bound, as Prometheus adds them up', async () => {
    const metrics = new Metrics();
    const seconds = metrics.histogram('request_seconds', 'How long.', [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 3]) seconds.observe(value);
    expect(await metrics.text()).toBe(
      [
        '# HELP request_seconds How long.',
        '# TYPE request_seconds histogram',
        'request_seconds_bucket{le="0.1"} 2',
        'request_seconds_bucket{le="1"} 3',
        'request_seconds_bucket{le="+Inf"} 4',
        'request_seconds_sum 3.65',
        'request_seconds_count 4',
        '',
      ].join('\n'),
    );
  });
});
