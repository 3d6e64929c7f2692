import { JsonTraits } from '../../core/decode/json/traits.ts';
import { wholeJson } from '../../core/decode/json/value.ts';
import type { WriterSchema } from '../../core/decode/schema/writer-schema.ts';

/**
 * Reads JSON whatever its schema says. A schema has no part in reading JSON, and Confluent's own deserializers do not
 * validate by default (`json.fail.invalid.schema`): a record is refused where the mapping finds no sample in it.
 */
export const JSON_SCHEMA: WriterSchema = {
  read: (body, start, { budget, isVerbatim = false, onOddNumbers } = {}) => {
    const traits = new JsonTraits();
    const value = wholeJson(body, start, traits, { budget, isVerbatim });
    if (traits.hasOddNumbers) onOddNumbers?.();
    return value;
  },
};
