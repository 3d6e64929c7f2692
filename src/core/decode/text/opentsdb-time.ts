/**
 * A timestamp of OpenTSDB in ms, undefined for 0: seconds where it fits 32 bits without sign, else ms already
 * (net.opentsdb.core.Const, SECOND_MASK). Fractions are cut off. The caller has checked that it fits 64 bits.
 */
export function opentsdbMs(time: number): number | undefined {
  const whole = Math.trunc(time);
  if (whole === 0) return undefined;
  return whole > 0 && whole < 2 ** 32 ? whole * 1000 : whole;
}
