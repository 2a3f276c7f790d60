/** What the kernel for shortlists does on a card, by its definition, in host memory. */
import koffi from 'koffi';
import { HEAD_BYTES, LISTED, SHORTLIST_BYTES, type Shortlists } from '../../src/runtime/device/kernels/shortlists.js';

/** @param wanted logits of each row, more where others equal the last of them */
export function hostShortlists(wanted: number): Shortlists & { count: number } {
  const lists = {
    count: 0,
    bytesOfRow: SHORTLIST_BYTES,
    write({ address, rows, width }: Parameters<Shortlists['write']>[0], to: bigint, divisor: number) {
      lists.count += 1;
      for (let row = 0; row < rows; row++) {
        const logits = new Float32Array(koffi.view(address + BigInt(4 * row * width), 4 * width));
        const list = new DataView(koffi.view(to + BigInt(row * SHORTLIST_BYTES), SHORTLIST_BYTES));
        const descending = logits.toSorted().toReversed();
        const [greatest = NaN] = descending;
        const least = descending[wanted - 1] ?? -Infinity;
        const ids = [...logits.keys()].filter((id) => (logits[id] ?? NaN) >= least);
        list.setFloat32(0, greatest, true);
        list.setFloat32(4, least, true);
        const most = Math.fround(greatest / divisor);
        const powers = logits.map((logit) => logit / divisor).reduce((sum, logit) => sum + Math.exp(logit - most), 0);
        list.setFloat64(8, powers, true);
        list.setUint32(16, ids.length, true);
        list.setUint32(20, logits.every(Number.isFinite) ? 1 : 0, true);
        for (const [place, id] of ids.slice(0, LISTED).entries()) {
          list.setUint32(HEAD_BYTES + 4 * place, id, true);
          list.setFloat32(HEAD_BYTES + 4 * (LISTED + place), logits[id] ?? NaN, true);
        }
      }
    },
  };
  return lists;
}
