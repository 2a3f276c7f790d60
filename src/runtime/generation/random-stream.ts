/**
 * Seeded random numbers: SplitMix64 (Steele, Lea and Flood, 2014), one independent stream per (seed, stream). They
 * reproduce our own draws; no generator could reproduce those of PyTorch.
 */
const GOLDEN_GAMMA = 0x9e3779b97f4a7c15n;

/** @returns a function that gives numbers in [0, 1) with 53 random bits */
export function randomStream(seed: number, stream: number): () => number {
  let state = mix(BigInt(seed)) ^ mix(BigInt(stream) + GOLDEN_GAMMA);
  return () => {
    state = BigInt.asUintN(64, state + GOLDEN_GAMMA);
    return Number(mix(state) >> 11n) / 2 ** 53;
  };
}

function mix(value: bigint): bigint {
  let z = BigInt.asUintN(64, value);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}
