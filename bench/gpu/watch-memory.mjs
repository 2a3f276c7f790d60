/**
 * Memory of GPU 0, or of the one named, as NVIDIA's management library sees it from outside, every 5 ms until stdin closes: one JSON
 * line with what was used at the start and at most. Needs no CUDA context of its own.
 *
 *   node bench/gpu/watch-memory.mjs [GPU]
 */
import koffi from 'koffi';

const EVERY_MS = 5;
const nvml = koffi.load('libnvidia-ml.so.1');
const memoryInfo = koffi.struct('nvmlMemory_v2_t', {
  version: 'uint32_t',
  total: 'uint64_t',
  reserved: 'uint64_t',
  free: 'uint64_t',
  used: 'uint64_t',
});
const VERSION_2 = koffi.sizeof(memoryInfo) | (2 << 24);
const init = nvml.func('int nvmlInit_v2()');
const handleAt = nvml.func('int nvmlDeviceGetHandleByIndex_v2(uint32_t, _Out_ void**)');
const infoOf = nvml.func('int nvmlDeviceGetMemoryInfo_v2(void*, _Inout_ nvmlMemory_v2_t*)');

if (init() !== 0) throw new Error('NVML does not start');
const slot = [null];
const gpu = Number(process.argv[2] ?? 0);
if (handleAt(gpu, slot) !== 0) throw new Error(`NVML knows no GPU ${gpu}`);

const used = () => {
  const info = { version: VERSION_2, total: 0, reserved: 0, free: 0, used: 0 };
  if (infoOf(slot[0], info) !== 0) throw new Error('NVML does not tell the memory');
  return info.used;
};
const atStart = used();
let peak = atStart;
let samples = 0;
const timer = setInterval(() => {
  peak = Math.max(peak, used());
  samples++;
}, EVERY_MS);
process.stdout.write('watching\n');
process.stdin.on('end', () => {
  clearInterval(timer);
  process.stdout.write(`${JSON.stringify({ atStartBytes: atStart, peakBytes: peak, samples })}\n`);
  process.exit(0);
});
process.stdin.resume();
