import fc from 'fast-check';
import type { Label } from '../../../../src/core/model/labels.ts';

/** Few characters, so that names collide, values empty out and non-ASCII orders meet. */
const text = fc
  .array(fc.constantFrom('a', 'b', '_', 'é', '\u{fffd}', '\u{1f600}'), { maxLength: 4 })
  .map((parts) => parts.join(''));

/** Labels of a series: distinct names, any order. */
export const labelSet: fc.Arbitrary<Label[]> = fc.uniqueArray(fc.record({ name: text, value: text }), {
  selector: (label) => label.name,
  maxLength: 8,
});
