import * as z from 'zod';

/** Key of every section with a login: allows sending it unencrypted. */
export function allowInsecure(of: string) {
  return z
    .boolean()
    .default(false)
    .describe(`Send ${of} unencrypted where there is no TLS: whoever is on the way can read and use them.`);
}

/** Whether requests to this URL are unencrypted. */
export function isUnencrypted(url: string): boolean {
  return URL.parse(url)?.protocol === 'http:';
}

/** Message for a login that would be sent over http://. `key`: the section's own name for `allow_insecure`. */
export function unencrypted(what: string, key = 'allow_insecure'): string {
  return `the URL is http://, and ${what} would travel unencrypted; expected https://, or ${key}: true`;
}
