import { writeFileSync } from 'node:fs';
import { configJsonSchema } from './json-schema.ts';

// Run by hand after a change of the options: node src/app/config/write-schema.ts && npm run format.
// A unit test holds the file equal to the options.
const text = `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
writeFileSync(new URL('../../../schemas/penstock.schema.json', import.meta.url), text);
