import { readFileSync } from 'node:fs';
import type { Mechanism } from 'kafkajs';
import { Agent, type Dispatcher, request } from 'undici';
import { errorMessage, RetryableError } from '../../../core/model/errors.ts';
import { monotonicMs } from '../../time/clock.ts';
import { isLoginRefused, KafkaLoginError } from '../errors.ts';
import { NO_TOKEN } from '../patch/messages.ts';
import type { ConnectionTrouble } from './connection-trouble.ts';
import type { KafkaOptions } from './options.ts';

type SaslOptions = KafkaOptions['sasl'];

/** A token is fetched again when less than this share of its life is left. */
const REFRESH_SHARE = 0.2;
/**
 * Least remaining life of a token that is handed out, in ms: a session ends with its token, and kafkajs logs in again
 * 5 s before. For short lives, at most half of the life.
 */
const REFRESH_MIN_MS = 20_000;
const REFRESH_MAX_SHARE = 0.5;
const TIMEOUT_MS = 10_000;
/** Pause after a failure, in ms; meanwhile callers get the same error. */
const PAUSE_MS = 1_000;
/** Life of a token without `expires_in`, which is optional (RFC 6749 section 5.1). */
const DEFAULT_LIFE_SECONDS = 300;

interface Token {
  readonly value: string;
  /** By `monotonicMs`. */
  readonly refreshAt: number;
  readonly expiresAt: number;
}

/**
 * Tokens for SASL OAUTHBEARER by the client credentials grant (RFC 6749 section 4.4), cached until they age.
 *
 * kafkajs asks at every login, and Penstock has a connection per partition and broker, so the cache is here.
 */
export class TokenSource {
  readonly #sasl: SaslOptions;
  readonly #onFailure: (url: string, error: unknown) => void;
  readonly #now: () => number;
  #token: Token | undefined;
  #pending: Promise<Token> | undefined;
  #failure: { readonly error: unknown; readonly untilMs: number } | undefined;

  /** @param onFailure called for every failed attempt, also while an older token still serves */
  constructor(
    sasl: SaslOptions,
    onFailure: (url: string, error: unknown) => void,
    now: () => number = monotonicMs,
  ) {
    this.#sasl = sasl;
    this.#onFailure = onFailure;
    this.#now = now;
  }

  /**
   * @throws KafkaLoginError when the endpoint refuses the client
   * @throws RetryableError when it does not answer, or not with a token
   */
  async token(): Promise<string> {
    const known = this.#token;
    if (known !== undefined && this.#now() < known.refreshAt) return known.value;
    try {
      return (await this.#fetch()).value;
    } catch (error) {
      // The endpoint may be down for a while: a token that is still valid is as good as a new one.
      if (known !== undefined && known === this.#token && this.#now() < known.expiresAt) return known.value;
      throw error;
    }
  }

  /** The broker has refused this token: the next login asks for another. */
  refused(value: string): void {
    if (this.#token?.value === value) this.#token = undefined;
  }

  async #fetch(): Promise<Token> {
    if (this.#failure !== undefined && this.#now() < this.#failure.untilMs) throw this.#failure.error;
    this.#pending ??= fetchToken(this.#sasl, this.#now).finally(() => {
      this.#pending = undefined;
    });
    try {
      this.#token = await this.#pending;
      this.#failure = undefined;
      return this.#token;
    } catch (error) {
      if (this.#failure?.error !== error) {
        this.#failure = { error, untilMs: this.#now() + PAUSE_MS };
        this.#onFailure(this.#sasl.token_url ?? '', error);
      }
      throw error;
    }
  }
}

async function fetchToken(sasl: SaslOptions, clock: () => number): Promise<Token> {
  const url = sasl.token_url ?? '';
  const failed = `${NO_TOKEN} kafka.sasl.token_url ${url}`;
  const { status, text } = await ask(url, sasl).catch((error: unknown) => {
    throw new RetryableError(`${failed}: ${errorMessage(error)}`, { cause: error });
  });
  // The parser's own message would quote the answer, and with it the token.
  const answer = parseObject(text);
  if ([400, 401, 403].includes(status)) {
    // A code such as invalid_client (RFC 6749 section 5.2); other texts of the answer are not repeated.
    const code = typeof answer?.['error'] === 'string' && /^[a-z_]{1,40}$/.exec(answer['error'])?.[0];
    throw new KafkaLoginError(
      `${failed}: it answered ${status}${code ? ` ${code}` : ''}; ` +
        'expected other kafka.sasl.oauth_client_id, oauth_client_secret or scope',
    );
  }
  if (status !== 200) throw new RetryableError(`${failed}: it answered ${status}`);
  const value = answer?.['access_token'];
  if (typeof value !== 'string' || value === '')
    throw new RetryableError(`${failed}: its answer has no access_token; is this the token endpoint?`);
  const seconds = Number(answer?.['expires_in'] ?? DEFAULT_LIFE_SECONDS);
  const lifeMs = (Number.isFinite(seconds) && seconds > 0 ? seconds : DEFAULT_LIFE_SECONDS) * 1000;
  const before = Math.min(lifeMs * REFRESH_MAX_SHARE, Math.max(lifeMs * REFRESH_SHARE, REFRESH_MIN_MS));
  const now = clock();
  return { value, refreshAt: now + lifeMs - before, expiresAt: now + lifeMs };
}

async function ask(url: string, sasl: SaslOptions): Promise<{ status: number; text: string }> {
  const credentials = [sasl.oauth_client_id ?? '', sasl.oauth_client_secret ?? '']
    .map(encodeURIComponent)
    .join(':');
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (sasl.scope !== undefined) form.set('scope', sasl.scope);
  const dispatcher = tokenAgent(sasl.token_ca_file);
  try {
    const { statusCode, body } = await request(url, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: form.toString(),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      // Bounds an answer that arrives byte by byte as well.
      signal: AbortSignal.timeout(TIMEOUT_MS),
      dispatcher,
    });
    return { status: statusCode, text: await body.text() };
  } finally {
    void dispatcher.close();
  }
}

/** A token is fetched every few minutes: the connection is not kept, and the file is read again. */
function tokenAgent(caFile: string | undefined): Dispatcher {
  const ca = caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') };
  return new Agent({ connect: { timeout: TIMEOUT_MS, ...ca } });
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Separates and ends the parts of a message (RFC 7628 section 3.1). */
const SEPARATOR = 0x01;

/**
 * The login of SASL OAUTHBEARER (RFC 7628).
 *
 * kafkajs' own takes every answer for a success. A broker refuses a token with an answer that says why, and
 * then closes the connection, which looks like a broker that restarts and would be tried for ever.
 */
export function oauthLogin(tokens: TokenSource, trouble: ConnectionTrouble): Mechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ host, port, saslAuthenticate }) => ({
      authenticate: async () => {
        const token = await tokens.token();
        const message = Buffer.from(`n,,\u0001auth=Bearer ${token}\u0001\u0001`);
        try {
          const refusal = await saslAuthenticate<string>({
            request: saslRequest(message),
            response: saslResponse,
          });
          if (!refusal) return;
          // The client has to acknowledge the refusal before the broker ends the exchange (section 3.2.3).
          await saslAuthenticate({
            request: saslRequest(Buffer.from([SEPARATOR])),
            response: saslResponse,
          }).catch(() => undefined);
          const reason = /"status"\s*:\s*"([\w ]{1,40})"/.exec(refusal)?.[1] ?? 'no reason given';
          const error = new KafkaLoginError(`${host}:${port} refuses the token: ${reason}`);
          trouble.failed(`${host}:${port}`, error);
          throw error;
        } catch (error) {
          // A broken connection says nothing about the token.
          if (isLoginRefused(error)) tokens.refused(token);
          throw error;
        }
      },
    }),
  };
}

/** kafkajs expects the length in front of a request, and puts one in front of the answer. */
function saslRequest(message: Buffer) {
  const length = Buffer.alloc(4);
  length.writeInt32BE(message.length);
  return { encode: () => Buffer.concat([length, message]) };
}

const saslResponse = {
  decode: (bytes: Buffer) => bytes.subarray(4),
  parse: (bytes: Buffer) => bytes.toString('utf8'),
};
