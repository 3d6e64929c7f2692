import { compareByBytes } from './byte-order.ts';

/** Instead of a slot: the node is not numbered. */
export const NO_SLOT = -1;

/** A name split at its last digits: text before, digits, text behind. */
const LAST_DIGITS = /^(.*?)(\d+)(\D*)$/su;
/** Digits of a slot: up to 999 or, if that leaves too many free (`host-101` … `host-140`), up to 99. */
const SLOT_DIGITS = [3, 2];
/**
 * Slots of numbered nodes, such as those of a StatefulSet: node ▸ its number, or NO_SLOT for a node named otherwise.
 * Undefined if fewer than two thirds are numbered alike, or if they take less than half of the slots up to the highest.
 *
 * It depends on the names alone, not on their order.
 */
export function slotsOf(nodes: readonly string[]): Int32Array | undefined {
  for (const digits of SLOT_DIGITS) {
    const slots = largestFamily(nodes, digits);
    const taken = slots.filter((slot) => slot !== NO_SLOT).length;
    if (3 * taken >= 2 * nodes.length && 2 * taken >= Math.max(...slots) + 1) return slots;
  }
  return undefined;
}

/** Slots of the largest family: the most nodes whose names differ only in their last `digits` digits. */
function largestFamily(nodes: readonly string[], digits: number): Int32Array {
  const families = new Map<string, Map<number, string>>();
  for (const name of [...nodes].sort(compareByBytes)) {
    const [, before, number, behind] = LAST_DIGITS.exec(name) ?? [];
    if (number === undefined) continue;
    const family = JSON.stringify([before, number.slice(0, -digits).replace(/^0+/, ''), behind]);
    const slot = Number(number.slice(-digits));
    const names = families.get(family) ?? new Map<number, string>();
    // Of node-1 and node-01 the first by name has the slot.
    if (!names.has(slot)) names.set(slot, name);
    families.set(family, names);
  }
  const most = Math.max(0, ...[...families.values()].map(({ size }) => size));
  const largest = [...families.values()].find(({ size }) => size === most) ?? new Map<number, string>();
  const slotByName = new Map([...largest].map(([slot, name]) => [name, slot]));
  return Int32Array.from(nodes, (name) => slotByName.get(name) ?? NO_SLOT);
}
