/** Shards a second that one server handed out and took back, with 100 and with 1,000 workers: `bench/queue`. */
export const SERVER_SHARDS_PER_SECOND = 2000;

export interface FleetRequest {
  readonly pictures: number;
  /** Of one card, as a run on it has measured. */
  readonly picturesPerSecond: number;
  readonly cardsPerMachine: number;
  readonly shardSize: number;
  /** In how many hours all should be done; null to say how long `cards` take. */
  readonly hours: number | null;
  readonly cards: number | null;
  /** Bytes of a picture's file, and bytes a second that the shared storage gives to all machines together. */
  readonly pictureBytes: number;
  readonly storageBytesPerSecond: number | null;
}

export interface FleetPlan {
  readonly cards: number;
  readonly machines: number;
  readonly hours: number;
  readonly cardHours: number;
  readonly shards: number;
  readonly storageBytesPerSecondNeeded: number;
  /** More cards than these make nothing faster, and what is in the way; null where nobody knows. */
  readonly most: { readonly server: number; readonly storage: number | null; readonly shards: number };
}

/** What so many pictures take. Work is even: the last shards of a run, of which some cards have none, are left out. */
export function planFleet(request: FleetRequest): FleetPlan {
  const { pictures, picturesPerSecond, shardSize, cardsPerMachine, pictureBytes, storageBytesPerSecond } = request;
  const shards = Math.ceil(pictures / shardSize);
  const most = {
    server: Math.floor((SERVER_SHARDS_PER_SECOND * shardSize) / picturesPerSecond),
    storage:
      storageBytesPerSecond === null
        ? null
        : Math.max(1, Math.floor(storageBytesPerSecond / (picturesPerSecond * pictureBytes))),
    shards,
  };
  const seconds = pictures / picturesPerSecond;
  const asked = request.cards ?? Math.max(1, Math.ceil(seconds / (3600 * (request.hours ?? Infinity))));
  const useful = Math.min(asked, most.server, most.storage ?? Infinity, most.shards);
  const hours = seconds / Math.max(1, useful) / 3600;
  return {
    cards: asked,
    machines: Math.ceil(asked / cardsPerMachine),
    hours,
    cardHours: hours * asked,
    shards,
    storageBytesPerSecondNeeded: Math.max(1, useful) * picturesPerSecond * pictureBytes,
    most,
  };
}
