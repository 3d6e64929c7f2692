import type { PoisonError } from '../../model/errors.ts';
import type { Reject } from '../decoder.ts';
import { restoreInvalid } from '../text/utf8.ts';

export const OTLP_JSON = 'application/x-otlp+json';

interface Scope {
  readonly scope: unknown;
  readonly metrics: unknown[];
}

/** Collects the unreadable parts of a request in one of their own, with each resource and scope once. */
export class OtlpJsonRejects {
  readonly #resourceMetrics: unknown[] = [];
  #resource: unknown;
  /** Scopes of the current resource that have a bad metric; undefined if there is none. */
  #scopes: unknown[] | undefined;
  #scope: unknown;
  #metrics: unknown[] | undefined;
  #first: PoisonError | undefined;
  #count = 0;

  /** A ResourceMetrics begins. */
  resource(resource: unknown): void {
    this.#resource = resource;
    this.#scopes = undefined;
    this.#metrics = undefined;
  }

  /** A ScopeMetrics begins. */
  scope(scope: unknown): void {
    this.#scope = scope;
    this.#metrics = undefined;
  }

  metric(error: PoisonError, metric: unknown): void {
    this.#add(error);
    if (this.#metrics === undefined) {
      this.#metrics = [];
      this.#scopesOfResource().push({ scope: this.#scope, metrics: this.#metrics } satisfies Scope);
    }
    this.#metrics.push(metric);
  }

  /** Adds a whole ScopeMetrics of the current resource. */
  scopeMetrics(error: PoisonError, scopeMetrics: unknown): void {
    this.#add(error);
    this.#scopesOfResource().push(scopeMetrics);
  }

  /** Adds a whole ResourceMetrics. */
  resourceMetrics(error: PoisonError, resourceMetrics: unknown): void {
    this.#add(error);
    this.#resourceMetrics.push(resourceMetrics);
  }

  /** @param body value of the reject if the parts nest too deep to be serialized */
  finish(body: Buffer): Reject[] {
    if (this.#first === undefined) return [];
    const more = this.#count > 1 ? ` (the first of ${this.#count} metrics)` : '';
    return [
      {
        reason: 'otlp_metric',
        message: this.#first.message + more,
        value: jsonOf({ resourceMetrics: this.#resourceMetrics }) ?? body,
        contentType: OTLP_JSON,
      },
    ];
  }

  #add(error: PoisonError): void {
    this.#first ??= error;
    this.#count++;
  }

  #scopesOfResource(): unknown[] {
    if (this.#scopes === undefined) {
      this.#scopes = [];
      this.#resourceMetrics.push({ resource: this.#resource, scopeMetrics: this.#scopes });
    }
    return this.#scopes;
  }
}

function jsonOf(value: object): Buffer | undefined {
  try {
    return restoreInvalid(JSON.stringify(value));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
