/** A time in ms since the epoch as RFC 3339; as a number where a Date does not know it: Kafka takes any 64 bits. */
export function isoTime(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? `${ms} ms since 1970` : time.toISOString();
}
