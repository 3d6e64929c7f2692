import * as z from 'zod';
import { shown } from './types.ts';

/** Addresses: hosts, host:port and URLs. Invalid ones are refused here, not by a resolver at run time. */

/** Part of a DNS name. Host names must not have `_`, but names of containers do, and resolvers accept it. */
const DNS_LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
const MAX_NAME = 253;

/** Whether a text is a DNS name, an IPv4 address, or an IPv6 address in brackets. */
export function isHost(text: string): boolean {
  if (text.startsWith('[')) return /^\[[0-9A-Fa-f:.]+\]$/.test(text) && URL.canParse(`http://${text}`);
  if (/[\s\p{Cc}]/u.test(text)) return false;
  const ascii = /^\p{ASCII}*$/u.test(text) ? text : (URL.parse(`http://${text}`)?.hostname ?? '');
  const labels = ascii.replace(/\.$/, '').split('.');
  // Resolvers read a name that ends with a number as an IPv4 address.
  if (/^\d+$/.test(labels.at(-1)!)) return isIPv4(labels);
  return ascii.length <= MAX_NAME && labels.every((label) => DNS_LABEL.test(label));
}

function isIPv4(parts: readonly string[]): boolean {
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}

/** A DNS name or an IP address. */
export function host() {
  return z
    .string()
    .meta({ minLength: 1 })
    .refine((text) => isHost(text) || isHost(`[${text}]`), {
      error: (issue) => `${notHost(issue.input)}; expected a name such as kafka.internal, or an IP address`,
    });
}

const HOST_AND_PORT = /^(\[[^\]]*\]|[^:[\]]*):(\d{1,5})$/;

/** `host:port`; an IPv6 address stands in brackets. An empty host means every interface where `anyHost` is given. */
export function address({ anyHost = false }: { anyHost?: boolean } = {}) {
  return z.string().superRefine((text, context) => {
    const fault = addressFault(text, anyHost);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  });
}

function addressFault(text: string, anyHost: boolean): string | undefined {
  const expected = 'expected host:port, such as localhost:9092';
  const [, host, port] = HOST_AND_PORT.exec(text) ?? [];
  if (host === undefined || port === undefined || (host === '' && !anyHost))
    return `${shown(text)} is no address; ${expected}`;
  if (host !== '' && !isHost(host)) return `${shown(text)} is no address: ${notHost(host)}; ${expected}`;
  const least = anyHost ? 0 : 1;
  if (Number(port) >= least && Number(port) <= 65_535) return undefined;
  return `${shown(text)} is no address: ports are from ${least} to 65535; ${expected}`;
}

function notHost(host: unknown): string {
  return `${shown(host)} is not a host name`;
}

/** Host and port of a text that `address` accepted. The brackets of an IPv6 address are taken off. */
export function splitAddress(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = HOST_AND_PORT.exec(text) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/**
 * Fault of an HTTP server's URL, with what is expected instead; undefined if it has none.
 *
 * @param login key to use instead of a user and password in the URL
 */
export function urlFault(text: string, login = ''): string | undefined {
  const instead = login === '' ? '' : `, and ${login} instead`;
  if (/^https?:[/\\]*[^/?#\\]*@/i.test(text))
    return `the URL carries a user name or password; expected it without, since URLs are logged${instead}`;
  const expected = 'expected http://host:port or https://host:port';
  const no = `${shown(text)} is no HTTP URL`;
  const url = URL.parse(text);
  // URL.parse drops blanks and control characters, and accepts missing or surplus slashes.
  if (url === null || !/^https?:\/\/[^/\\]/i.test(text) || /[\s\p{Cc}\\]/u.test(text)) {
    const [, host] = /^https?:\/\/([^/?#:]*)(?::\d*)?(?:[/?#]|$)/i.exec(text) ?? [];
    return host !== undefined && !isHost(host)
      ? `${no}: ${notHost(host)}; ${expected}`
      : `${no}; ${expected}`;
  }
  if (!isHost(url.hostname)) return `${no}: ${notHost(hostOf(text))}; ${expected}`;
  return url.port === '0' ? `${no}: ports are from 1 to 65535; ${expected}` : undefined;
}

/** The host as written: that of a parsed URL may be escaped. */
function hostOf(text: string): string {
  return /^https?:\/\/([^/?#]*)/i.exec(text)?.[1]?.replace(/:\d*$/, '') ?? text;
}

/** The URL of an HTTP server, without a login in it. */
export function httpUrl(login = '') {
  return z
    .string()
    .superRefine((text, context) => {
      const fault = urlFault(text, login);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    })
    .meta({ format: 'uri' });
}

/** The complete URL of a remote-write endpoint: one without a path gets /api/v1/write. */
export function remoteWriteUrl(text: string): string {
  const url = new URL(text);
  if (url.pathname === '/') url.pathname = '/api/v1/write';
  url.hash = '';
  return url.href;
}
