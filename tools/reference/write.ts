import { writeFileSync } from 'node:fs';
import { referencePages } from './pages.ts';

// npm run reference: writes the pages of docs/reference that are generated. A unit test holds them current.
const root = new URL('../../', import.meta.url);
for (const [file, text] of await referencePages()) writeFileSync(new URL(file, root), text);
