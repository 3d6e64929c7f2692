import { randomBytes } from 'node:crypto';

/**
 * A name for a topic, group or client that no other test uses: `<prefix>-<8 hex digits>`.
 * Suites share one Kafka, so every suite works on names of its own.
 */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}
