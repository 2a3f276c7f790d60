import { deviceName, type PictureData } from '../../../src/planner/report/picture-data.js';

export interface Run {
  readonly key: string;
  readonly text: string;
  readonly part: number;
}

/** Consecutive blocks of a part at one place, in words. */
export function runsOf({ cells, parts }: PictureData): Run[] {
  const runs: { part: number; place: string; count: number }[] = [];
  for (const { placement, part, scheme } of cells) {
    const notes = [...(placement.execution === 'streamed' ? ['streamed'] : []), ...(scheme === null ? [] : [scheme])];
    const place = [deviceName(placement.runsOn), ...notes].join(', ');
    const last = runs.at(-1);
    if (last?.part === part && last.place === place) last.count += 1;
    else runs.push({ part, place, count: 1 });
  }
  return runs.map(({ part, place, count }, i) => ({
    key: `${i} ${place}`,
    text: `${parts[part]?.name ?? ''}${count > 1 ? ` × ${count}` : ''} on ${place}`,
    part,
  }));
}
