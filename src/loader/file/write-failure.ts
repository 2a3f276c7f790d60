import { Blip2Error } from '../../errors.js';

/**
 * What the system says while `path` is written, as an error of this package; anything else stays what it is.
 * @returns Blip2Error `DISK_FULL`, `FILE_TOO_LARGE` or `WRITE_FAILED`
 */
export function writeFailure(path: string, error: unknown): unknown {
  if (!isSystemError(error) || error.syscall === 'read') return error;
  switch (error.code) {
    case 'ENOSPC':
      return new Blip2Error('DISK_FULL', `the disk is full: ${path} was not written`, {
        hint: 'Make room there. blip2-shard cache ls shows what runs have kept of converted weights.',
        cause: error,
      });
    case 'EDQUOT':
      return new Blip2Error('DISK_FULL', `the quota of this disk is used up: ${path} was not written`, {
        hint: 'Make room there. blip2-shard cache ls shows what runs have kept of converted weights.',
        cause: error,
      });
    case 'EFBIG':
      return new Blip2Error('FILE_TOO_LARGE', `no file may be as large there: ${path} was not written`, {
        hint: 'FAT32 ends at 4 GiB, and `ulimit -f` may set a limit. Write to another disk, or smaller shards (blip2-shard split --max-shard-size).',
        cause: error,
      });
    default:
      return new Blip2Error('WRITE_FAILED', `${path} was not written: ${error.message}`, {
        hint: 'See that its folder is there, and that you may write into it.',
        cause: error,
      });
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'errno' in error && typeof error.errno === 'number';
}
