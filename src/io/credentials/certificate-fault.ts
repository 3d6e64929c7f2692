/** Advice by Node's names of OpenSSL's verification results. */
const VERIFICATION: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the other side's certificate has expired; expected a renewed one there",
  CERT_NOT_YET_VALID: "the other side's certificate is not valid yet; are the clocks right?",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "the other side's certificate is for another name; expected that name in tls.server_name, or a certificate for this host",
};
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'INVALID_CA',
  'INVALID_PURPOSE',
]);
/** TLS alerts (RFC 8446 section 6.2) by which the other side refuses our certificate, or the lack of one. */
const ALERT = /^ERR_SSL_.*ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)/;

interface ErrorLike {
  readonly code?: unknown;
  readonly cause?: unknown;
}

/**
 * One line on the certificate that made a connection fail, and what to do; undefined for any other error.
 *
 * Looks through the causes of the error too. `tls.…` in the text are keys of the `tls` section.
 */
export function certificateFault(error: unknown): string | undefined {
  for (let at = error as ErrorLike | undefined, depth = 0; at && depth < 8; depth += 1) {
    const fault = typeof at.code === 'string' ? faultOf(at.code) : undefined;
    if (fault !== undefined) return fault;
    at = at.cause as ErrorLike | undefined;
  }
  return undefined;
}

function faultOf(code: string): string | undefined {
  if (Object.hasOwn(VERIFICATION, code)) return VERIFICATION[code];
  if (UNTRUSTED.has(code)) {
    return "the other side's certificate is of an unknown authority; expected that authority's in tls.ca_file";
  }
  if (ALERT.test(code)) {
    return 'the other side refuses our certificate, or wants one; expected a valid one in tls.cert_file and tls.key_file';
  }
  return undefined;
}

/** OpenSSL's own text of an alert: a number, its source file, and the name of the alert in between. */
const OPENSSL_ALERT = /[0-9A-F]+:error:[0-9A-F]+:.*?\balert ([a-z ]+):.*/s;

/** An error's message on one line, without OpenSSL's file names. */
export function plainTlsMessage(message: string): string {
  return message.replace(OPENSSL_ALERT, 'TLS alert $1').trim();
}
