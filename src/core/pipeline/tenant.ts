import { headerText } from '../decode/record-headers.ts';
import { PoisonError } from '../model/errors.ts';
import type { RecordHeaders } from '../record/headers.ts';

/**
 * Default of `worker.limits.tenant_bytes`: most bytes of a tenant header's value. Mimir and Cortex take 150 bytes,
 * VictoriaMetrics a number; every task record repeats it.
 */
export const TENANT_BYTES = 1024;

/** Characters that HTTP headers cannot carry or that garble logs. */
const CONTROL = /\p{Cc}/u;

/**
 * The tenant headers of a record that have a value, as text, in the order of `names`.
 *
 * @param most bytes of one value; 0 is no limit
 * @throws PoisonError `tenant` if a value cannot name a tenant: its series must not end up with another
 */
export function tenantHeadersOf(
  headers: RecordHeaders,
  names: readonly string[],
  most = TENANT_BYTES,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const text = headerText(headers, name.toLowerCase());
    if (text === '') continue;
    const fault = faultOf(text, most);
    if (fault !== undefined)
      throw new PoisonError('decode', 'tenant', `the record's header ${name} ${fault}`);
    found[name] = text;
  }
  return found;
}

function faultOf(text: string, most: number): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (most > 0 && bytes > most)
    return `has ${bytes} bytes, more than the limit of ${most} (worker.limits.tenant_bytes)`;
  if (CONTROL.test(text)) return 'has a control character';
  return text.includes('\ufffd') ? 'is not UTF-8' : undefined;
}
