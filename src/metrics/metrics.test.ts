import { describe, expect, it } from 'vitest';
import { MetricsServer } from './metrics-server.js';
import { Metrics } from './metrics.js';

describe('Metrics', () => {
  it('writes what Prometheus reads', async () => {
    const metrics = new Metrics();
    const pictures = metrics.counter('pictures_total', 'Pictures\nby outcome.');
    pictures.add(2, { outcome: 'captioned' });
    pictures.add(0.5, { outcome: 'captioned' });
    pictures.add(1, { outcome: 'a "\\\n' });
    metrics.gauge('free_bytes', 'Free.', () => [[Infinity], [3, { device: '0' }]]);
    metrics.gauge('broken', 'Never.', () => Promise.reject(new Error('nobody tells')));
    expect(await metrics.text()).toBe(
      [
        String.raw`# HELP pictures_total Pictures\nby outcome.`,
        '# TYPE pictures_total counter',
        'pictures_total{outcome="captioned"} 2.5',
        String.raw`pictures_total{outcome="a \"\\\n"} 1`,
        '# HELP free_bytes Free.',
        '# TYPE free_bytes gauge',
        'free_bytes +Inf',
        'free_bytes{device="0"} 3',
        '',
      ].join('\n'),
    );
    expect(() => pictures.add(-1)).toThrow('cannot grow');
    expect(() => metrics.counter('pictures_total', '')).toThrow('is there already');
    expect(() => metrics.counter('no-name', '')).toThrow('no name');
  });

  it('answers supervisors', async () => {
    let trouble: string | null = null;
    const health = { trouble: () => trouble, isReady: () => false };
    await using server = await MetricsServer.listen(new Metrics(), health, { host: '127.0.0.1', port: 0 });
    const status = async (path: string) => (await fetch(`http://127.0.0.1:${server.port}${path}`)).status;
    expect([await status('/metrics'), await status('/healthz'), await status('/readyz')]).toEqual([200, 200, 503]);
    trouble = 'cut off';
    expect([await status('/healthz'), await status('/other')]).toEqual([503, 404]);
    const taken = MetricsServer.listen(new Metrics(), health, { host: '127.0.0.1', port: server.port });
    await expect(taken).rejects.toMatchObject({ code: 'PORT_TAKEN' });
  });
});
