/**
 * A timestamp of OpenTSDB in ms, undefined for 0: it is in seconds if it fits unsigned 32 bits, else in ms already
 * (net.opentsdb.core.Const, SECOND_MASK). Fractions are cut off. The caller has checked that it fits 64 bits.
 */
export function opentsdbMs(time: number): number | undefined {
  const whole = Math.trunc(time);
  if (whole === 0) return undefined;
  return whole > 0 && whole < 2 ** 32 ? whole * 1000 : whole;
}
