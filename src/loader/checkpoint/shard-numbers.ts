/** What the numbers in shards' names tell of shards that are not there. Pure. */

interface ShardNumber {
  /** The names of all, with question marks for the number. */
  readonly family: string;
  readonly number: number;
  readonly count: number;
}

/** null for a name without numbers. */
export function shardNumber(name: string): ShardNumber | null {
  const match = /^(.*[-_])(\d{5,6})-of-(\d{5,6})(\..*)$/.exec(name);
  if (match === null) return null;
  return { family: `${match[1]}?????-of-${match[3]}${match[4]}`, number: Number(match[2]), count: Number(match[3]) };
}

interface Family {
  readonly family: string;
  readonly numbers: ReadonlySet<number>;
  readonly count: number;
}

/** Shards named `…-00001-of-00003` whose numbers do not run from 1 to the stated count. */
export function incompleteFamilies(names: readonly string[]): Family[] {
  const families = new Map<string, Family & { numbers: Set<number> }>();
  for (const name of names) {
    const shard = shardNumber(name);
    if (shard === null) continue;
    const { family, count } = shard;
    const known = families.get(family) ?? { family, count, numbers: new Set<number>() };
    families.set(family, known);
    known.numbers.add(shard.number);
  }
  return [...families.values()].filter(({ numbers, count }) => numbers.size !== count);
}
