import type { RecordHeaders } from '../decode/decoder.ts';
import { headerText } from '../decode/record-headers.ts';
import { PoisonError } from '../model/errors.ts';

/**
 * Longest name of a tenant in bytes, unless `ingest.limits.tenant_bytes` says otherwise. Mimir and Cortex take 150 bytes,
 * VictoriaMetrics a number; each task record carries it again.
 */
export const TENANT_BYTES = 1024;

/** What HTTP cannot carry, or a reader of logs and headers would stumble over. */
const CONTROL = /\p{Cc}/u;

/**
 * The tenant headers of a record that have a value, as text, in the order of `names`.
 *
 * @param most bytes of one value; 0 is no limit
 * @throws PoisonError `tenant` where one cannot name a tenant: its series must not become another's
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
    return `has ${bytes} bytes, more than the limit of ${most} (ingest.limits.tenant_bytes)`;
  if (CONTROL.test(text)) return 'has a control character';
  return text.includes('\ufffd') ? 'is not UTF-8' : undefined;
}
