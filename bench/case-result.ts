/** One measured case: the table's row, and the JSON document's entry. What a case does not measure is absent. */
export interface CaseResult {
  readonly name: string;
  readonly series?: number;
  readonly partitions?: number;
  /** Samples that were measured. */
  readonly samples?: number;
  /** User and system time of the whole process, or of all processes of the worker. */
  readonly cpuMicrosPerSample?: number;
  readonly samplesPerSecond?: number;
  /** Largest resident size since the process began; of several processes the sum. */
  readonly peakMib?: number;
  /** Samples in one record of a task topic, on average. */
  readonly samplesPerRecord?: number;
  /** From the moment at which a sample was due to be written to the moment at which the receiver has its request. */
  readonly latencyMs?: Latency;
  /** Of several processes: their samples/s over those of one. */
  readonly speedUp?: number;
  /** What the figures alone do not say. */
  readonly note?: string;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The figure by which two runs are compared, less is better; of full load, which has neither, samples/s. */
export function mainFigure({
  latencyMs,
  cpuMicrosPerSample,
  samplesPerSecond,
}: CaseResult): number | undefined {
  return latencyMs?.p99 ?? cpuMicrosPerSample ?? samplesPerSecond;
}
