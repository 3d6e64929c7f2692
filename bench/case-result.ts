/** One measured case: a row of the table, and an entry of the JSON document. Figures not measured are absent. */
export interface CaseResult {
  readonly name: string;
  readonly series?: number;
  readonly partitions?: number;
  /** Samples that were measured. */
  readonly samples?: number;
  /** User and system time of the whole process, or of all processes of the worker. */
  readonly cpuMicrosPerSample?: number;
  readonly samplesPerSecond?: number;
  /** Largest resident size since the start of the process; of several processes the sum. */
  readonly peakMib?: number;
  /** Samples in one record of a task topic, on average. */
  readonly samplesPerRecord?: number;
  /** Time from when a sample was due to be written until the receiver has its request. */
  readonly latencyMs?: Latency;
  /** Samples/s of several processes over those of one. */
  readonly speedUp?: number;
  /** Remark on the figures. */
  readonly note?: string;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The figure by which two runs are compared: p99 latency or CPU time, where less is better, else samples/s. */
export function mainFigure({
  latencyMs,
  cpuMicrosPerSample,
  samplesPerSecond,
}: CaseResult): number | undefined {
  return latencyMs?.p99 ?? cpuMicrosPerSample ?? samplesPerSecond;
}
