import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Why a request is not answered. */
export interface Denial {
  readonly code: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A header of its own that no form and no simple request of a web page can set: it needs CORS, which is not granted. */
export const RELOAD_HEADER = 'x-penstock-reload';

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '::1']);

/** Whether an address is one of this machine's own, as a socket or a configuration says it. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^::ffff:/i, '').toLowerCase();
  return LOOPBACK_NAMES.has(address) || /^127(\.\d{1,3}){3}$/.test(address);
}

/**
 * A page whose name has been pointed at 127.0.0.1 (DNS rebinding) sends that name: a listener on loopback answers to
 * names of loopback alone. Clients without the header are no browsers.
 */
export function wrongHost({ headers: { host } }: IncomingMessage, listenHost: string): Denial | undefined {
  if (!isLoopback(listenHost) || host === undefined || isLoopback(hostName(host))) return undefined;
  return {
    code: 403,
    body: 'This address is for this machine alone; expected Host: localhost or 127.0.0.1.\n',
  };
}

/**
 * With a token whoever has it may reload. Without one it is whoever is on this machine and is no web page: from a loopback
 * address, by a name of loopback, with a header that a page cannot set.
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

/** In a time that says nothing of where they differ. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
