import * as z from 'zod';

/** The key of every section with a login that says that it may travel as it is. */
export function allowInsecure(of: string) {
  return z
    .boolean()
    .default(false)
    .describe(`Send ${of} unencrypted where there is no TLS: whoever is on the way can read and use them.`);
}

/** Whether what is sent to this URL can be read on the way. */
export function isUnencrypted(url: string): boolean {
  return URL.parse(url)?.protocol === 'http:';
}

/** Said where a login would travel over http://. `key` is that of the section, where it has a name of its own. */
export function unencrypted(what: string, key = 'allow_insecure'): string {
  return `the URL is http://, and ${what} would travel unencrypted; expected https://, or ${key}: true`;
}
