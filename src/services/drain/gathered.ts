import { PoisonError } from '../../core/model/errors.ts';
import { joinBlocks, uncompressedLength } from '../../core/wire/snappy.ts';
import type { Refused } from '../../io/remote-write/deliver.ts';

/** Most bytes of joined series in a dead letter, uncompressed, so that it fits any dead-letter topic. */
const ENOUGH_BYTES = 256 * 1024;

interface Group {
  readonly error: PoisonError;
  readonly bodies: Buffer[];
  bytes: number;
}

/**
 * Joins series that a node refused for the same reason into one dead letter, so that a record refused as a whole does
 * not become thousands. The message is that of the first. Bodies that are large or no snappy block stay alone.
 */
export function gathered(refused: readonly Refused[]): Refused[] {
  const letters: Refused[] = [];
  const open = new Map<string, Group>();
  const close = ({ error, bodies }: Group) =>
    letters.push({ error, body: bodies.length === 1 ? bodies[0]! : joinBlocks(bodies) });
  for (const { body, error } of refused) {
    const bytes = bytesOf(body);
    const key = `${error.stage}/${error.reason}`;
    const group = open.get(key);
    if (bytes > ENOUGH_BYTES) letters.push({ body, error });
    else if (group === undefined) open.set(key, { error, bodies: [body], bytes });
    else if (group.bytes + bytes > ENOUGH_BYTES) {
      close(group);
      open.set(key, { error, bodies: [body], bytes });
    } else {
      group.bodies.push(body);
      group.bytes += bytes;
    }
  }
  for (const group of open.values()) close(group);
  return letters;
}

function bytesOf(body: Buffer): number {
  try {
    return body.length === 0 ? Number.POSITIVE_INFINITY : uncompressedLength(body);
  } catch (error) {
    if (error instanceof PoisonError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}
