/** The program of docs/concepts/hashing.md: both hashes, by code that shares nothing with src. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../cache.ts';

export interface HashingProgram {
  xxh64(bytes: Buffer): bigint;
  bytesOf(texts: readonly string[]): Buffer;
  jump(key: bigint, count: number): number;
  taskOf(labels: Readonly<Record<string, string>>, options: object): number;
  /** `topic/task` ▸ name of the node. */
  balancedOwners(
    topics: readonly { topic: string; count: number }[],
    nodes: readonly string[],
  ): Map<string, string>;
  perRouteOwners(count: number, nodes: readonly string[]): string[];
}

export const HASHING_PAGE = readFileSync(path.join(ROOT, 'docs/concepts/hashing.md'), 'utf8');
const [, code = ''] = /^```js\n([\s\S]*?)^```$/m.exec(HASHING_PAGE) ?? [];
export const hashing = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as HashingProgram;
