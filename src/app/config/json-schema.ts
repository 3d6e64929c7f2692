import * as z from 'zod';
import { options } from './schema.ts';

/** The JSON schema of the configuration file (draft 2020-12), for editors: `schemas/penstock.schema.json`. */
export function configJsonSchema(): Record<string, unknown> {
  return { title: 'Penstock configuration', ...z.toJSONSchema(options, { io: 'input' }) };
}
