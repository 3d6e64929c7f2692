/** RFC 3339 of a time in ms since the epoch; the number if it is out of Date's range: Kafka takes any 64 bits. */
export function isoTime(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? `${ms} ms since 1970` : time.toISOString();
}
