import type { PoisonError } from '../../model/errors.ts';
import { ByteSink } from '../../wire/byte-sink.ts';
import { viewOf } from '../../wire/bytes.ts';
import type { Reject } from '../decoder.ts';

/** Content type of OTLP metrics in protobuf: its `proto` parameter tells them from remote write. */
export const OTLP_PROTO = 'opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest';
const CONTENT_TYPE = `application/x-protobuf;proto=${OTLP_PROTO}`;

/** Collects unreadable metrics in a request of their own, with each resource and scope once. */
export class BadMetrics {
  readonly #view: DataView;
  readonly #request = new ByteSink();
  readonly #resource = new ByteSink();
  readonly #scope = new ByteSink();
  /** Start of the contents of the ResourceMetrics and ScopeMetrics being written; -1 if there is none. */
  #resourceStart = -1;
  #scopeStart = -1;
  #count = 0;
  #message = '';

  constructor(body: Buffer) {
    this.#view = viewOf(body);
  }

  /** A ResourceMetrics begins. */
  resource(): void {
    this.#closeResource();
    this.#resource.length = 0;
  }

  resourceField(start: number, end: number): void {
    this.#resource.copy(this.#view, start, end - start);
  }

  /** A ScopeMetrics begins. */
  scope(): void {
    this.#closeScope();
    this.#scope.length = 0;
  }

  scopeField(start: number, end: number): void {
    this.#scope.copy(this.#view, start, end - start);
  }

  /** Adds the Metric field in `[start, end)`. */
  metric(error: PoisonError, start: number, end: number): void {
    if (this.#count++ === 0) this.#message = error.message;
    const request = this.#request;
    if (this.#resourceStart < 0) {
      request.byte(0x0a);
      request.byte(0);
      this.#resourceStart = request.length;
      request.copy(viewOf(this.#resource.bytes), 0, this.#resource.length);
    }
    if (this.#scopeStart < 0) {
      request.byte(0x12);
      request.byte(0);
      this.#scopeStart = request.length;
      request.copy(viewOf(this.#scope.bytes), 0, this.#scope.length);
    }
    request.copy(this.#view, start, end - start);
  }

  rejects(): Reject[] {
    if (this.#count === 0) return [];
    this.#closeResource();
    const more = this.#count > 1 ? ` (the first of ${this.#count} metrics)` : '';
    const value = this.#request.finish();
    return [{ reason: 'otlp_metric', message: this.#message + more, value, contentType: CONTENT_TYPE }];
  }

  #closeResource(): void {
    this.#closeScope();
    if (this.#resourceStart < 0) return;
    this.#request.closeMessage(this.#resourceStart, 1);
    this.#resourceStart = -1;
  }

  #closeScope(): void {
    if (this.#scopeStart < 0) return;
    this.#request.closeMessage(this.#scopeStart, 1);
    this.#scopeStart = -1;
  }
}
