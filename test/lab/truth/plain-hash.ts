/** Plain twins of the hashes, in BigInt. They share nothing with the code under test. */

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

/** xxHash64 with seed 0: the specification, step by step. */
export function plainXxh64(bytes: Uint8Array): bigint {
  const u64 = (value: bigint) => BigInt.asUintN(64, value);
  const rotate = (value: bigint, bits: bigint) => u64((value << bits) | (value >> (64n - bits)));
  const round = (lane: bigint, input: bigint) => u64(rotate(u64(lane + input * P2), 31n) * P1);
  const view = Buffer.from(bytes);
  let at = 0;
  let hash = P5;
  if (view.length >= 32) {
    const lanes = [u64(P1 + P2), P2, 0n, u64(-P1)];
    for (; at + 32 <= view.length; at += 32) {
      for (let lane = 0; lane < 4; lane++) {
        lanes[lane] = round(lanes[lane]!, view.readBigUInt64LE(at + lane * 8));
      }
    }
    hash = [1n, 7n, 12n, 18n].reduce((sum, bits, lane) => u64(sum + rotate(lanes[lane]!, bits)), 0n);
    for (const lane of lanes) hash = u64((hash ^ round(0n, lane)) * P1 + P4);
  }
  hash = u64(hash + BigInt(view.length));
  for (; at + 8 <= view.length; at += 8) {
    hash = u64(rotate(hash ^ round(0n, view.readBigUInt64LE(at)), 27n) * P1 + P4);
  }
  if (at + 4 <= view.length) {
    hash = u64(rotate(hash ^ u64(BigInt(view.readUInt32LE(at)) * P1), 23n) * P2 + P3);
    at += 4;
  }
  for (; at < view.length; at++) hash = u64(rotate(hash ^ u64(BigInt(view[at]!) * P5), 11n) * P1);
  hash = u64((hash ^ (hash >> 33n)) * P2);
  hash = u64((hash ^ (hash >> 29n)) * P3);
  return hash ^ (hash >> 32n);
}

/** Jump consistent hash: the paper's figure. */
export function plainJump(key: bigint, buckets: number): number {
  let state = key;
  let bucket = -1;
  for (let next = 0; next < buckets; ) {
    bucket = next;
    state = BigInt.asUintN(64, state * 2862933555777941757n + 1n);
    next = Math.floor((bucket + 1) * (2 ** 31 / (Number(state >> 33n) + 1)));
  }
  return bucket;
}
