import type { WriterSchema } from '../decode/writer-schema.ts';
import { errorMessage, PoisonError } from '../model/errors.ts';

/**
 * Reads JSON whatever its schema says. A schema has no part in reading JSON, and Confluent's own deserializers do not
 * validate by default (`json.fail.invalid.schema`): a record is refused where the mapping finds no sample in it.
 */
export const JSON_SCHEMA: WriterSchema = {
  read(body, start) {
    try {
      return JSON.parse(body.toString('utf8', start));
    } catch (error) {
      throw new PoisonError('decode', 'json', `the record is no JSON: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  },
};
