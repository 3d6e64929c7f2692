/**
 * A change whose parts that may fail or take time are done. One of the two is called, once: `commit` makes it, at once and
 * without failing; `discard` frees what was made ready for it.
 */
export interface PreparedChange {
  commit(): void;
  discard(): void;
}
