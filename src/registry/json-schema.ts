import type { SchemaFault, WriterSchema } from '../decode/writer-schema.ts';
import { errorMessage, PoisonError } from '../model/errors.ts';

/** What is needed of a compiled JSON schema; the library's has it. */
export interface JsonValidator {
  isValid(payload: object, options: { errorHook: (path: string[], message: unknown) => void }): boolean;
}

/** Reads JSON and says where it does not fit its schema. */
export function jsonSchema(validator: JsonValidator): WriterSchema {
  return {
    read: (body, start) => {
      const value = parse(body, start);
      const faults: SchemaFault[] = [];
      validator.isValid(value as object, {
        errorHook: ([pointer = ''], message) => faults.push({ pointer, message: String(message) }),
      });
      return { value, faults };
    },
  };
}

function parse(body: Buffer, start: number): unknown {
  try {
    return JSON.parse(body.toString('utf8', start));
  } catch (error) {
    throw new PoisonError('decode', 'json', `the record is no JSON: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
