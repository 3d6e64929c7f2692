import type { OauthbearerProviderResponse } from 'kafkajs';
import { request } from 'undici';
import { errorMessage, RetryableError } from '../model/errors.ts';
import type { KafkaOptions } from './options.ts';

/** A token is fetched anew when less than this share of its life is left. */
const REFRESH_SHARE = 0.2;
const TIMEOUT_MS = 10_000;
/** Life of a token whose answer does not say (`expires_in` is optional, RFC 6749 section 5.1). */
const DEFAULT_LIFE_SECONDS = 300;

interface Token {
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly refreshAt: number;
  readonly expiresAt: number;
}

/**
 * Tokens for SASL OAUTHBEARER by the client credentials grant (RFC 6749 section 4.4), cached until they age.
 *
 * kafkajs asks once a connection, and Penstock has a connection a partition and broker, so caching is ours.
 */
export function oauthTokenProvider(sasl: KafkaOptions['sasl']): () => Promise<OauthbearerProviderResponse> {
  let cached: Token | undefined;
  let pending: Promise<Token> | undefined;
  return async () => {
    if (cached === undefined || Date.now() >= cached.refreshAt) {
      pending ??= fetchToken(sasl).finally(() => {
        pending = undefined;
      });
      try {
        cached = await pending;
      } catch (error) {
        // The endpoint may be away for a while: a token that still holds is as good as a new one.
        if (cached === undefined || Date.now() >= cached.expiresAt) throw error;
      }
    }
    return { value: cached.value };
  };
}

async function fetchToken(sasl: KafkaOptions['sasl']): Promise<Token> {
  const url = sasl.token_url ?? '';
  const credentials = [sasl.oauth_client_id ?? '', sasl.oauth_client_secret ?? '']
    .map(encodeURIComponent)
    .join(':');
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (sasl.scope !== undefined) form.set('scope', sasl.scope);
  try {
    const response = await request(url, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: form.toString(),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    const text = await response.body.text();
    if (response.statusCode !== 200) throw new Error(`it answered ${response.statusCode}`);
    const { access_token, expires_in } = JSON.parse(text) as { access_token?: string; expires_in?: number };
    if (typeof access_token !== 'string') throw new Error('its answer has no access_token');
    const lifeMs = (expires_in ?? DEFAULT_LIFE_SECONDS) * 1000;
    const now = Date.now();
    return { value: access_token, refreshAt: now + lifeMs * (1 - REFRESH_SHARE), expiresAt: now + lifeMs };
  } catch (error) {
    throw new RetryableError(`No token from kafka.sasl.token_url ${url}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
