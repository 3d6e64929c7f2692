import { SecretFile } from '../credentials/secret-file.ts';

/** Login of a node, as configured. At most one of the three is given. */
export interface NodeLoginOptions {
  readonly basic_auth?:
    | {
        readonly username: string;
        readonly password?: string | undefined;
        readonly password_file?: string | undefined;
      }
    | undefined;
  readonly bearer_token?: string | undefined;
  readonly bearer_token_file?: string | undefined;
}

const MASK = '********';

/** The `Authorization` header of one node. Passwords and tokens in files may be replaced at any time. */
export class NodeLogin {
  readonly #username: string | undefined;
  readonly #fixed: string | undefined;
  readonly #file: SecretFile | undefined;
  /** Secrets of the last request, masked in answers: proxies and debug servers may return what they were sent. */
  #used: readonly string[] = [];

  constructor({ basic_auth, bearer_token, bearer_token_file }: NodeLoginOptions) {
    this.#username = basic_auth?.username;
    this.#fixed = basic_auth?.password ?? bearer_token;
    const file = basic_auth?.password_file ?? bearer_token_file;
    this.#file = file === undefined ? undefined : new SecretFile(file);
  }

  /** @throws RetryableError when the secret's file has never been readable */
  headers(): Record<string, string> {
    const secret = this.#fixed ?? this.#file?.read();
    if (secret === undefined) return {};
    if (this.#username === undefined) {
      this.#used = [secret];
      return { authorization: `Bearer ${secret}` };
    }
    const encoded = Buffer.from(`${this.#username}:${secret}`).toString('base64');
    this.#used = [encoded, secret];
    return { authorization: `Basic ${encoded}` };
  }

  /** The node refused the login: the next request reads the file again. */
  refused(): void {
    this.#file?.forget();
  }

  /** Masks the secrets in a text of the node, for logs. */
  masked(text: string): string {
    return this.#used.reduce((masked, secret) => masked.replaceAll(secret, MASK), text);
  }
}
