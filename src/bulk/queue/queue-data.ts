/** What goes through a queue: numbers and names, never a picture. Whoever reaches the server may have written it. */
import * as z from 'zod';

const MOST_NAME_CHARACTERS = 200;

export const queueId = z.string().regex(/^[0-9a-f]{16}$/);

const shardTask = z.strictObject({ version: z.literal(1), run: queueId, shard: z.int().nonnegative() });

const count = z.int().nonnegative();

const shardResult = z.strictObject({
  worker: z.string().max(MOST_NAME_CHARACTERS),
  captioned: count,
  failed: count,
  skipped: count,
  /** From when the shard was taken to when it was written. */
  seconds: z.number().nonnegative(),
});

/** A shard of the run with this id. */
export type ShardTask = z.infer<typeof shardTask>;
export type ShardResult = z.infer<typeof shardResult>;

/** @returns null for what is no task of this run */
export function readTask(data: unknown, run: string, shards: number): ShardTask | null {
  const { data: task } = shardTask.safeParse(data);
  return task !== undefined && task.run === run && task.shard < shards ? task : null;
}

/** @returns null for what no worker answers */
export const readResult = (value: unknown): ShardResult | null => shardResult.safeParse(value).data ?? null;

/** The engine refuses ids that are numbers or hold colons. */
export const taskId = (shard: number): string => `shard-${String(shard).padStart(6, '0')}`;

export const shortName = (name: string): string => name.slice(0, MOST_NAME_CHARACTERS);
