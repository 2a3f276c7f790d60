import * as z from 'zod';
import { Blip2Error, type Measurement } from '../../src/planner/index.js';
import { readBytes } from '../common/read-json.js';

const line = z.object({ timing: z.object({ imageMs: z.number(), generateMs: z.number() }) });

/**
 * What `blip2-run --json` wrote: a line per picture. The median of their times, decoding of files left out.
 * @throws Blip2Error `FILE_INVALID` where the file cannot be read or has no line with times
 */
export async function measuredCaptions(file: string): Promise<Measurement> {
  const times = (await readLines(file))
    .map((json) => line.safeParse(json))
    .flatMap(({ data }) => (data === undefined ? [] : [data.timing.imageMs + data.timing.generateMs]))
    .toSorted((a, b) => a - b);
  const latencyMs = times[times.length >> 1];
  if (latencyMs === undefined) {
    throw new Blip2Error('FILE_INVALID', `${file} holds no times of captions`, {
      hint: 'Write it with: blip2-run --plan plan.json --json PICTURES > times.jsonl',
    });
  }
  return { label: 'measured', latencyMs, gpuPeakBytes: null };
}

async function readLines(file: string): Promise<unknown[]> {
  try {
    const text = new TextDecoder().decode(await readBytes(file));
    return text
      .split('\n')
      .filter((row) => row.trim() !== '')
      .map((row): unknown => JSON.parse(row));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Blip2Error('FILE_INVALID', `${file} cannot be read as lines of JSON: ${why}`, { cause: error });
  }
}
