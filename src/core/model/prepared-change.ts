/**
 * A change of which all that may fail or take time is done. Call one of the two, once: `commit` applies it,
 * synchronously and without failing; `discard` frees what was prepared.
 */
export interface PreparedChange {
  commit(): void;
  discard(): void;
}
