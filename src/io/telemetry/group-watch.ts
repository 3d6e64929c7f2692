/** Watches groups of the deployment that may have no member left to report their lag. */
export interface GroupWatch {
  /** @param memberIds present member ids of this process, in all its groups */
  start(memberIds: () => readonly string[]): void;
  stop(): Promise<void>;
  /** Adds to the gauges, before a scrape. */
  collect(): void;
}
