import { JsonTraits } from '../../core/decode/json/traits.ts';
import { wholeJson } from '../../core/decode/json/value.ts';
import type { WriterSchema } from '../../core/decode/schema/writer-schema.ts';

/**
 * Reads JSON without its schema, which is not needed for parsing; Confluent's own deserializers do not validate by
 * default either (`json.fail.invalid.schema`). A record is refused only if the mapping finds no sample in it.
 */
export const JSON_SCHEMA: WriterSchema = {
  read: (body, start, { budget, isVerbatim = false, onOddNumbers } = {}) => {
    const traits = new JsonTraits();
    const value = wholeJson(body, start, traits, { budget, isVerbatim });
    if (traits.hasOddNumbers) onOddNumbers?.();
    return value;
  },
};
