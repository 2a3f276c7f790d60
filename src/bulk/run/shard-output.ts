import type { CaptionRecord } from '../caption-record.js';
import type { InputPicture } from '../inputs/input-picture.js';
import type { ReadFile } from '../inputs/read-file.js';
import type { InputList } from './input-list.js';
import type { PictureSpool } from './picture-spool.js';
import type { ShardJob } from './shard-job.js';

/** A shard whose records are all there. */
export interface FinishedShard {
  readonly shard: number;
  /** Position of its first picture in the run. */
  readonly first: number;
  readonly pictures: readonly InputPicture[];
  readonly records: readonly CaptionRecord[];
  /** Positions whose records an earlier writing of the shard had. */
  readonly kept: ReadonlySet<number>;
  /** Position -> what its picture was read from. */
  readonly files?: ReadonlyMap<number, ReadFile>;
  /** Pictures that were fetched for their captions. */
  readonly spool?: PictureSpool | undefined;
}

/** What a format makes of shards. Writing a shard again, whole or after a kill, gives the same files. */
export interface ShardOutput {
  /** Whether the files of pictures are part of it: those that lie elsewhere are then kept until they are written. */
  readonly holdsPictures?: boolean;
  /**
   * A name of its own for each picture, where the format needs one.
   * @throws Blip2Error `OUTPUT_IMPOSSIBLE` for a picture that the format has no place for
   */
  target?(picture: InputPicture): string;
  /**
   * Goes before a run that the folder does not know yet.
   * @throws Blip2Error `OUTPUT_EXISTS` where something else would be written over
   */
  checkFolder?(): Promise<void>;
  /**
   * Positions of a finished shard whose own files, which its records are of, have gone since. A format with a file for the whole
   * shard needs none: its folder looks.
   */
  lost?(pictures: readonly InputPicture[], records: readonly CaptionRecord[]): Promise<ReadonlySet<number>>;
  /** Goes before the first picture of a shard is captioned. */
  begin?(job: ShardJob): Promise<void>;
  /**
   * A format without it has nothing to write but the records.
   * @returns the records as they are to be kept: a picture may have gone since it was captioned
   */
  write?(shard: FinishedShard): Promise<readonly CaptionRecord[]>;
  /** Goes once every shard of the run is there, and again whenever one of them changes. */
  finish?(list: InputList): Promise<void>;
}
