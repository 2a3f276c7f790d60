import { MOST_PACKED_ROWS, type GpuProfile } from './device-profile.js';

/**
 * What `blip2-run` takes on the host to find beams' next tokens, per logit: up to 68 ms a token for 40 rows of opt-2.7b, 39 for
 * InstructBLIP vicuna-7b on the machine of an H200 (bench/gpu), less what the card takes.
 */
const MS_PER_LOGIT = 27e-6;
/**
 * The same where a kernel lists the greatest logits of each row: three plans for 8 pictures with 5 beams of opt-2.7b on an H200 are within 4 % so
 * (bench/gpu).
 */
const MS_PER_LISTED_LOGIT = 0.3e-6;

/**
 * @param logits of all rows and steps
 * @param gpu that makes them; null for the host
 */
export function searchMs(logits: number, gpu: GpuProfile | null): number {
  return logits * (gpu?.packedRows === MOST_PACKED_ROWS ? MS_PER_LISTED_LOGIT : MS_PER_LOGIT);
}
