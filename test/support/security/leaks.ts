/** Looks for secrets in what processes print and serve. */

/** Everything that was printed and served, by where it came from. */
export class Outputs {
  readonly #texts = new Map<string, () => string>();

  add(from: string, text: string | (() => string)): void {
    this.#texts.set(`${from} (${this.#texts.size + 1})`, typeof text === 'string' ? () => text : text);
  }

  /** The pages of a process's admin server. */
  async addPages(from: string, admin: string): Promise<void> {
    for (const page of ['/metrics', '/api/status', '/-/ready']) {
      const response = await fetch(`${admin}${page}`);
      this.add(`${from} ${page}`, await response.text());
    }
  }

  get size(): number {
    return this.#texts.size;
  }

  /** All of it, one after the other. */
  text(): string {
    return [...this.#texts.values()].map((text) => text()).join('\n');
  }

  /** `where: which` for each secret found, plain or in an encoding that logins use. */
  leaks(secrets: Readonly<Record<string, string>>): string[] {
    const found: string[] = [];
    for (const [from, text] of this.#texts) {
      const output = text();
      for (const [name, secret] of Object.entries(secrets)) {
        if (encodings(secret).some((form) => output.includes(form))) found.push(`${from}: ${name}`);
      }
    }
    return found;
  }
}

/** Base64 within a longer text has three forms, one per alignment. */
function encodings(secret: string): string[] {
  const shifted = [0, 1, 2].map((before) => {
    const text = Buffer.from(`${'x'.repeat(before)}${secret}`).toString('base64');
    return text.slice(Math.ceil((before * 4) / 3), -4);
  });
  const bytes = JSON.stringify([...Buffer.from(secret)]).slice(1, -1);
  return [secret, encodeURIComponent(secret), Buffer.from(secret).toString('hex'), bytes, ...shifted];
}
