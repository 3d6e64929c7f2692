import { PoisonError } from '../../model/errors.ts';
import { WriteRequestBuilder } from '../../wire/write-request-builder.ts';
import { DEFAULT_OTLP, type OtlpOptions } from '../decode-options.ts';
import type { Decoded, Decoder } from '../decoder.ts';
import { JsonTraits } from '../json/traits.ts';
import { quoteText } from '../json/unknown.ts';
import { wholeJson } from '../json/value.ts';
import type { RecordBudget } from '../record-budget.ts';
import type { OtlpBounds } from './bounds.ts';
import { keyValues, list, object, textMember } from './json-fields.ts';
import { type JsonObject, jsonNames, namesOf, otherMembers } from './json-names.ts';
import { readData } from './json-points.ts';
import { OTLP_JSON, OtlpJsonRejects } from './json-rejects.ts';
import { OtlpSeries } from './series.ts';

/**
 * OTLP metrics in JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"), one ExportMetricsServiceRequest
 * a record. Series, rejects and counts are those of `otlpDecoder`.
 *
 * Names of the .proto files (`resource_metrics`) are accepted too, and those of older versions: scopes were
 * `instrumentationLibrary` before 0.15, data `intGauge` or `doubleSum` and so on, with `labels`, before 0.9. A part
 * that has unknown members instead of its main one is set aside, with their names; other unknown members are counted
 * (`unknown_field`).
 */
export function otlpJsonDecoder(options: Partial<OtlpOptions> = {}): Decoder {
  const settings = { ...DEFAULT_OTLP, ...options };
  const builder = new WriteRequestBuilder();
  const traits = new JsonTraits();
  return {
    name: 'otlp_json',
    contentTypes: [OTLP_JSON],
    defaultContentEncoding: 'identity',
    decode(body, context) {
      const request = parse(body, traits, context.budget);
      return new RequestReader(new OtlpSeries(builder, settings, body.length, context)).read(request, body);
    },
  };
}

const REQUEST: ReadonlySet<string> = new Set(['resourceMetrics']);
const RESOURCE_METRICS: ReadonlySet<string> = new Set([
  'resource',
  'scopeMetrics',
  'instrumentationLibraryMetrics',
  'schemaUrl',
]);
const RESOURCE: ReadonlySet<string> = new Set(['attributes', 'droppedAttributesCount', 'entityRefs']);
const SCOPE_METRICS: ReadonlySet<string> = new Set([
  'scope',
  'instrumentationLibrary',
  'metrics',
  'schemaUrl',
]);

/** Makes the series of one request. */
class RequestReader {
  readonly #series: OtlpSeries;
  readonly #rejects = new OtlpJsonRejects();

  constructor(series: OtlpSeries) {
    this.#series = series;
  }

  read(request: JsonObject, body: Buffer): Decoded {
    this.#count(otherMembers(request, REQUEST));
    for (const item of list(request['resourceMetrics'], 'resourceMetrics')) this.#resourceMetrics(item);
    return this.#series.finish(this.#rejects.finish(body));
  }

  #resourceMetrics(item: unknown): void {
    const series = this.#series;
    series.bounds.spend();
    const members = object(item, 'resourceMetrics');
    const { resource, scopeMetrics = members['instrumentationLibraryMetrics'] } = members;
    const fault = this.#unknown(members, RESOURCE_METRICS, scopeMetrics, 'scopeMetrics');
    if (fault !== undefined) {
      this.#rejects.resourceMetrics(fault, item);
      return;
    }
    const about = object(resource, 'resource');
    const { attributes } = about;
    const other = this.#unknown(about, RESOURCE, attributes, 'resource.attributes');
    if (other !== undefined) {
      this.#rejects.resourceMetrics(other, item);
      return;
    }
    this.#rejects.resource(resource);
    series.resource(keyValues(attributes, 'resource.attributes', series.bounds));
    for (const scopeItem of list(scopeMetrics, 'scopeMetrics')) this.#scopeMetrics(scopeItem);
  }

  #scopeMetrics(item: unknown): void {
    const series = this.#series;
    const members = object(item, 'scopeMetrics');
    const { scope = members['instrumentationLibrary'], metrics } = members;
    const fault = this.#unknown(members, SCOPE_METRICS, metrics, 'metrics');
    if (fault !== undefined) {
      this.#rejects.scopeMetrics(fault, item);
      return;
    }
    this.#rejects.scope(scope);
    series.scope(readScope(scope, series.bounds));
    for (const one of list(metrics, 'metrics')) {
      series.bounds.spend();
      const error = series.whole(() => metric(object(one, 'metric'), series));
      if (error !== undefined) this.#rejects.metric(error, one);
    }
  }

  /** Counts unknown members, or returns a fault if `wanted` is missing beside them. */
  #unknown(
    members: JsonObject,
    known: ReadonlySet<string>,
    wanted: unknown,
    name: string,
  ): PoisonError | undefined {
    const others = otherMembers(members, known);
    if (others.length === 0) return undefined;
    if (wanted === undefined) {
      this.#series.bounds.fault();
      return new PoisonError('decode', 'otlp_json', `there is no ${name}, but ${namesOf(others)}`);
    }
    this.#count(others);
    return undefined;
  }

  #count(others: readonly string[]): void {
    for (const _ of others) this.#series.unknown();
  }
}

function parse(body: Buffer, traits: JsonTraits, budget: RecordBudget | undefined): JsonObject {
  const request = object(wholeJson(body, 0, traits, { budget }), 'the record');
  if (traits.hasUnderscores) jsonNames(request);
  if (!Object.hasOwn(request, 'resourceMetrics')) {
    const others = Object.keys(request);
    const found = others.length === 0 ? 'has no members' : `has ${namesOf(others)}`;
    throw new PoisonError(
      'decode',
      'otlp_json',
      `the record is no OTLP metrics: it ${found} and no "resourceMetrics"`,
    );
  }
  return request;
}

function readScope(
  scope: unknown,
  bounds: OtlpBounds,
): { name: string; version: string; attributes: ReturnType<typeof keyValues> } | undefined {
  if (scope === undefined || scope === null) return undefined;
  const { name, version, attributes } = object(scope, 'scope');
  return {
    name: textMember(name, 'scope.name'),
    version: textMember(version, 'scope.version'),
    attributes: keyValues(attributes, 'scope.attributes', bounds),
  };
}

const DESCRIPTION: ReadonlySet<string> = new Set(['name', 'description', 'unit', 'metadata']);

/** Makes the series of one metric. Returns whether it has metadata. */
function metric(members: JsonObject, series: OtlpSeries): boolean {
  const name = textMember(members['name'], 'metric.name');
  const unit = textMember(members['unit'], 'metric.unit');
  if (name === '') throw new PoisonError('decode', 'no_metric_name', 'a metric without a name');
  series.metric(name, unit);
  let hasData = false;
  let unknown: string[] | undefined;
  for (const key in members) {
    if (readData(key, members[key], series)) hasData = true;
    else if (!DESCRIPTION.has(key)) {
      unknown ??= [];
      unknown.push(key);
    }
  }
  if (!hasData) {
    if (unknown !== undefined) {
      throw new PoisonError(
        'decode',
        'otlp_json',
        `the metric ${quoteText(name)} has no data that is known, but ${namesOf(unknown)}`,
      );
    }
    series.withoutPoints();
  }
  for (const _ of unknown ?? []) series.unknown();
  return textMember(members['description'], 'metric.description') !== '' || unit !== '';
}
