import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Response to a refused request. */
export interface Denial {
  readonly code: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Header that a web page cannot set: neither forms nor simple requests can, and CORS is not granted. */
export const RELOAD_HEADER = 'x-penstock-reload';

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '::1']);

/** True for loopback names and addresses, as found in sockets and configurations. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^::ffff:/i, '').toLowerCase();
  return LOOPBACK_NAMES.has(address) || /^127(\.\d{1,3}){3}$/.test(address);
}

/**
 * Against DNS rebinding: a page whose name now points at 127.0.0.1 sends that name, so a listener on loopback accepts
 * only loopback names. A request without a Host header does not come from a browser.
 */
export function wrongHost({ headers: { host } }: IncomingMessage, listenHost: string): Denial | undefined {
  if (!isLoopback(listenHost) || host === undefined || isLoopback(hostName(host))) return undefined;
  return {
    code: 403,
    body: 'This address is for this machine alone; expected Host: localhost or 127.0.0.1.\n',
  };
}

/**
 * Refuses an unauthorized reload. With a token, only its bearer may reload. Without one, anyone on this machine except
 * web pages: from a loopback address, under a loopback name, without Origin, with a header that a page cannot set.
 */
export function mayNotReload(request: IncomingMessage, token: string | undefined): Denial | undefined {
  if (token !== undefined) {
    if (sameText(request.headers.authorization ?? '', `Bearer ${token}`)) return undefined;
    return {
      code: 401,
      headers: { 'www-authenticate': 'Bearer' },
      body: 'Reload with the token of admin.reload_token: Authorization: Bearer TOKEN.\n',
    };
  }
  const { host, origin } = request.headers;
  const local =
    isLoopback(request.socket.remoteAddress ?? '') && (host === undefined || isLoopback(hostName(host)));
  if (local && origin === undefined && request.headers[RELOAD_HEADER] !== undefined) return undefined;
  return {
    code: 403,
    body:
      'Reload from this machine with the header X-Penstock-Reload: 1, or from elsewhere with admin.reload_token. ' +
      'SIGHUP does the same.\n',
  };
}

/** `[::1]:9480` ▸ `::1`. */
function hostName(host: string): string {
  return host.replace(/:\d*$/, '').replace(/^\[|\]$/g, '');
}

/** Constant-time comparison. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
