/** Looks after groups of the deployment that may have nobody to say how far behind they are. */
export interface GroupWatch {
  /** @param memberIds of this process in its groups, at the moment */
  start(memberIds: () => readonly string[]): void;
  stop(): Promise<void>;
  /** Adds to the gauges, before a scrape. */
  collect(): void;
}
