import type { SchemaFault, WriterSchema } from '../decode/writer-schema.ts';
import { errorMessage, PoisonError } from '../model/errors.ts';

/** What is needed of a compiled JSON schema; the library's has it. */
export interface JsonValidator {
  isValid(payload: object, options: { errorHook: ErrorHook }): boolean;
}

type ErrorHook = (path: string[], message: unknown) => void;

/** Reads JSON and says where it does not fit its schema. */
export function jsonSchema(validator: JsonValidator): WriterSchema {
  return {
    read: (body, start) => {
      const value = parse(body, start);
      const faults: SchemaFault[] = [];
      validate(validator, value, ([pointer = ''], message) =>
        faults.push({ pointer, message: String(message) }),
      );
      return { value, faults };
    },
  };
}

/** A schema that refers to itself follows a value as deep as that goes, and the stack may end before. */
function validate(validator: JsonValidator, value: unknown, errorHook: ErrorHook): void {
  try {
    validator.isValid(value as object, { errorHook });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new PoisonError(
      'decode',
      'nesting',
      'the record nests too deep for its schema, which refers to itself',
      {
        cause: error,
      },
    );
  }
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
