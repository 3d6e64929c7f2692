import { writeFileSync } from 'node:fs';
import { referencePages } from './pages.ts';

// npm run reference: writes the generated pages of docs/reference, and the comments of the example configuration. A
// unit test keeps them current.
const root = new URL('../../', import.meta.url);
for (const [file, text] of await referencePages()) writeFileSync(new URL(file, root), text);
