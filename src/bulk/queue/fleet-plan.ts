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

/**
 * What so many pictures take. Each card captions one shard after the other, and the run is over with the last of them: of ten
 * shards, eight cards make two rounds. What starting a model takes is left out.
 */
export function planFleet(request: FleetRequest): FleetPlan {
  const { pictures, picturesPerSecond, shardSize, cardsPerMachine, pictureBytes, storageBytesPerSecond } = request;
  const shards = Math.ceil(pictures / shardSize);
  const most = {
    server: Math.max(1, Math.floor((SERVER_SHARDS_PER_SECOND * shardSize) / picturesPerSecond)),
    storage:
      storageBytesPerSecond === null
        ? null
        : Math.max(1, Math.floor(storageBytesPerSecond / (picturesPerSecond * pictureBytes))),
    shards,
  };
  const cards = request.cards ?? fewestCards(request, shards);
  const busy = Math.min(cards, most.server, most.storage ?? Infinity, most.shards);
  const picturesOfOne = Math.min(pictures, Math.ceil(shards / busy) * shardSize);
  const hours = picturesOfOne / picturesPerSecond / 3600;
  return {
    cards,
    machines: Math.ceil(cards / cardsPerMachine),
    hours,
    cardHours: hours * cards,
    shards,
    storageBytesPerSecondNeeded: busy * picturesPerSecond * pictureBytes,
    most,
  };
}

/** So many that each has time for its shards. */
function fewestCards({ hours, picturesPerSecond, shardSize, pictures }: FleetRequest, shards: number): number {
  const seconds = 3600 * (hours ?? Infinity);
  if (pictures / picturesPerSecond <= seconds) return 1;
  // Rounded up by what dividing may have lost.
  const rounds = Math.floor((seconds * picturesPerSecond) / shardSize + 1e-9);
  return Math.ceil(shards / Math.max(1, rounds));
}
