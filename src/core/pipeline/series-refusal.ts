import { PoisonError } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';
import { LabelBlock, type LabelLimits } from '../wire/label-block.ts';
import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { WriteRequestBuilder } from '../wire/write-request-builder.ts';

/**
 * Reason for which a worker makes a series a dead letter before any route sees it; undefined if it takes the series.
 * The labels are encoded as remote write and read with the worker's decoder, so that both decide alike.
 */
export function seriesRefusal(labels: Labels, limits: LabelLimits): string | undefined {
  const builder = new WriteRequestBuilder();
  builder.beginSeries();
  for (const { name, value } of labels) builder.label(name, value);
  builder.endSeries();
  const request = builder.finish();
  const fields = new ProtobufReader(request, 0, request.length);
  fields.next();
  const start = fields.block();
  try {
    new LabelBlock().decode(request, start, fields.position, limits);
    return undefined;
  } catch (error) {
    if (error instanceof PoisonError) return error.message;
    throw error;
  }
}
