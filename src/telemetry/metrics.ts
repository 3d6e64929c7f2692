import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds. From one step of the worker to an outage of an hour. */
const LATENCY_BUCKETS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 300, 3600];

/** Everything that a Penstock process counts. docs/reference/metrics.md lists the same for operators. */
export class Metrics {
  readonly registry = new Registry();
  readonly ingestRecords = this.#counter('ingest_records_total', 'Records read from an ingest topic.', [
    'topic',
  ]);
  readonly ingestBytes = this.#counter('ingest_bytes_total', 'Bytes of records read from an ingest topic.', [
    'topic',
  ]);
  readonly samples = this.#counter(
    'samples_total',
    'Samples by stage: ingest (decoded), route (given to a route), publish (committed to its topic), deliver (accepted by the node).',
    ['stage', 'route', 'topic'],
  );
  readonly series = this.#counter(
    'series_total',
    'Series entries in requests, by stage as in penstock_samples_total.',
    ['stage', 'route', 'topic'],
  );
  readonly dropped = this.#counter(
    'dropped_samples_total',
    'Samples left out on purpose: by a relabel rule, or no route.',
    ['reason', 'route', 'topic'],
  );
  readonly newSeries = this.#counter(
    'route_new_series_total',
    'Series that a route sent on and that the series cache did not know.',
    ['route'],
  );
  readonly newSeriesWithoutLabel = this.#counter(
    'route_new_series_without_label_total',
    'How many of those have no such group label after relabeling, or an empty one.',
    ['route', 'label'],
  );
  readonly uncarried = this.#counter(
    'uncarried_total',
    'Parts of requests that the task topics cannot carry, by kind.',
    ['kind', 'topic'],
  );
  readonly withoutTime = this.#counter(
    'records_without_time_total',
    'Ingest records whose Kafka time is none or cannot be: the time of receipt stands for it.',
    ['topic'],
  );
  readonly outOfRange = this.#counter(
    'out_of_range_samples_total',
    'Samples set aside because of their times, by kind.',
    ['kind', 'topic'],
  );
  readonly unstorable = this.#counter(
    'unstorable_samples_total',
    'Samples sent on although no storage takes their times: before 1971 (past), more than two days ahead (future).',
    ['kind', 'topic'],
  );
  readonly publishRecords = this.#counter('publish_records_total', 'Records committed to task topics.', [
    'route',
  ]);
  readonly publishBytes = this.#counter('publish_bytes_total', 'Bytes of records committed to task topics.', [
    'route',
  ]);
  readonly deadLetters = this.#counter(
    'dead_letters_total',
    'Records and series set aside, by stage, reason and source topic.',
    ['stage', 'reason', 'topic'],
  );
  readonly corruptBatches = this.#counter(
    'corrupt_batches_total',
    'Record batches that cannot be read, set aside as dead letters.',
    ['topic'],
  );
  readonly heldUp = this.#gauge(
    'held_up_partitions',
    'Partitions that wait at a record batch that cannot be read.',
    ['topic', 'partition'],
  );
  readonly topicTrouble = this.#gauge(
    'topic_trouble',
    '1 for each topic that cannot be read or written to now, by what is wrong; what needs it waits.',
    ['topic', 'kind'],
    'max',
  );
  readonly waitingPartitions = this.#gauge(
    'waiting_partitions',
    'Assigned partitions that wait for a topic that cannot be read or written to, by that topic.',
    ['topic', 'waits_for'],
  );
  readonly defects = this.#counter(
    'defects_total',
    'Records that led to a defect of Penstock and were set aside for it, by source topic.',
    ['topic'],
  );
  readonly transactions = this.#counter(
    'transactions_total',
    'Steps published: committed, or failed and tried again.',
    ['result'],
  );
  readonly transactionSeconds = this.#histogram('publish_seconds', 'Duration of publishing one step.', []);
  readonly offsetGaps = this.#counter(
    'offset_gap_records_total',
    'Records missing where reading begins: gone before they were read, or lost after.',
    ['topic', 'reason'],
  );
  readonly publishLatency = this.#histogram(
    'publish_latency_seconds',
    'Time from the newest sample of a step to its commit in the task topics.',
    [],
  );
  readonly deliverLatency = this.#histogram(
    'deliver_latency_seconds',
    "Time from the source record's timestamp to the node's acceptance.",
    ['node'],
  );
  readonly deliverRequests = this.#counter(
    'deliver_requests_total',
    'Remote-write requests by status code.',
    ['node', 'code'],
  );
  readonly deliverRetries = this.#counter(
    'deliver_retries_total',
    'Remote-write requests tried again, by reason.',
    ['node', 'reason'],
  );
  readonly partitionStarts = this.#counter(
    'drain_partition_starts_total',
    'Task partitions begun that the node did not read before: where their last owner stood (taken_over), or at the oldest record (never_read).',
    ['topic', 'from'],
  );
  readonly waitingForOwner = this.#gauge(
    'drain_waiting_for_owner',
    "1 for each partition that this drain is assigned and another node's drain has not let go of.",
    ['topic', 'partition'],
  );
  readonly possibleRepeats = this.#counter(
    'deliver_possible_repeats_total',
    'Requests that the node may have taken before: the first of a partition that was not handed over, or after an attempt without answer.',
    ['node', 'reason'],
  );
  readonly sourceFaults = this.#counter(
    'source_faults_total',
    'Records of a task topic whose source is out of sequence: repeated, or a part of a step is missing.',
    ['topic', 'fault'],
  );
  readonly late = this.#counter(
    'late_samples_total',
    'Samples of records that the node accepted later than drain.late_after from their timestamp.',
    ['node', 'route'],
  );
  readonly deliverBytes = this.#counter('deliver_bytes_total', 'Bytes of bodies accepted by the node.', [
    'node',
    'route',
  ]);
  readonly deliverRecords = this.#counter('deliver_records_total', 'Records accepted by the node.', [
    'node',
    'route',
  ]);
  readonly lag = this.#gauge(
    'consumer_lag_records',
    'Records between the committed offset and the end of the partition; absent while Kafka does not tell.',
    ['group', 'topic', 'partition'],
  );
  readonly lagSeconds = this.#gauge(
    'consumer_lag_seconds',
    'Age of the oldest record that waits in a partition, by its timestamp; 0 where none does.',
    ['group', 'topic', 'partition'],
  );
  readonly lagUnknown = this.#gauge(
    'consumer_lag_unknown_partitions',
    'Partitions that this process reads and of which Kafka does not tell the offsets.',
    ['group', 'topic'],
  );
  readonly unread = this.#gauge(
    'unread_partitions',
    'Partitions of a group that no member reads; told by one process of the deployment.',
    ['group', 'topic'],
  );
  /** Of several processes, that of the one that has waited longest. */
  readonly groupSilence = this.#gauge(
    'group_silent_seconds',
    'Time since the consumer group last showed that it knows this process.',
    ['group'],
    'max',
  );
  readonly queueBytes = this.#gauge('queue_bytes', 'Bytes fetched and not yet processed.', ['topic']);
  readonly schemaWaits = this.#gauge(
    'schema_waiting_partitions',
    'Partitions that wait for a schema of the registry.',
    [],
  );
  readonly assigned = this.#gauge('assigned_partitions', 'Partitions that this process reads.', ['topic']);
  readonly drainTasks = this.#gauge('drain_tasks', 'Tasks of a route that hash 2 gives to the node.', [
    'node',
    'route',
  ]);
  readonly cacheBytes = this.#gauge('series_cache_bytes', 'Memory held by the series cache.', []);
  readonly cacheEntries = this.#gauge('series_cache_entries', 'Series in the cache.', []);
  readonly cacheLookups = this.#counter(
    'series_cache_lookups_total',
    'Series recognised (predicted, found), new (missed), of those not kept (unkept), and pushed out (evicted).',
    ['result'],
  );
  readonly reloads = this.#counter('config_reloads_total', 'Reloads of the configuration.', ['result']);
  /** Of the whole service, as the next one: its processes leave them alone. */
  readonly reloadSuccessful = this.#gauge(
    'config_last_reload_successful',
    '1 while the last reload was applied, 0 after one that was refused.',
    [],
  );
  readonly reloadSuccess = this.#gauge(
    'config_last_reload_success_timestamp_seconds',
    'When the configuration in force was read.',
    [],
  );
  readonly config = this.#gauge('config_info', 'Always 1 a process: the configuration in force.', ['hash']);
  readonly processes = this.#gauge('worker_processes', 'Processes of a supervised worker, by state.', [
    'state',
  ]);
  readonly processRestarts = this.#counter(
    'worker_process_restarts_total',
    'Times that a process of a supervised worker ended by itself.',
    ['process'],
  );

  /** Of the whole service: its processes leave it alone. */
  readonly ready = this.#gauge('ready', '1 while /-/ready answers 200, else 0.', []);
  readonly build = this.#gauge('build_info', 'Always 1: what runs here.', [
    'version',
    'nodejs_version',
    'command',
  ]);

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    // prom-client begins with 0, which would say something of processes that cannot reload.
    this.reloadSuccessful.remove();
    this.reloadSuccess.remove();
  }

  /** Counts of a worker that alerts look at begin at 0: else the first increase of each would be none to Prometheus. */
  beginIngest(topics: readonly string[]): void {
    for (const topic of topics) {
      this.dropped.inc({ reason: 'no_route', route: '', topic }, 0);
      for (const kind of ['too_old', 'in_future']) this.outOfRange.inc({ kind, topic }, 0);
      for (const kind of ['past', 'future']) this.unstorable.inc({ kind, topic }, 0);
      this.#beginReading(topic);
    }
    for (const result of ['committed', 'failed']) this.transactions.inc({ result }, 0);
  }

  /** Sets anew what is wrong with topics. */
  showTroubles(troubles: readonly { readonly topic: string; readonly kind: string }[]): void {
    this.topicTrouble.reset();
    for (const { topic, kind } of troubles) this.topicTrouble.set({ topic, kind }, 1);
  }

  /** The same of a drain. */
  beginDrain(node: string, tasks: readonly { readonly topic: string; readonly route: string }[]): void {
    for (const { topic, route } of tasks) {
      this.late.inc({ node, route }, 0);
      for (const fault of ['repeated', 'missing']) this.sourceFaults.inc({ topic, fault }, 0);
      this.#beginReading(topic);
    }
    for (const reason of ['takeover', 'unanswered']) this.possibleRepeats.inc({ node, reason }, 0);
  }

  #beginReading(topic: string): void {
    for (const reason of ['retention', 'made_anew', 'truncated', 'expired'])
      this.offsetGaps.inc({ topic, reason }, 0);
    this.defects.inc({ topic }, 0);
    this.corruptBatches.inc({ topic }, 0);
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name: `penstock_${name}`, help, labelNames, registers: [this.registry] });
  }

  /** @param over how several processes make one value (merge.ts) */
  #gauge<L extends string>(
    name: string,
    help: string,
    labelNames: L[],
    over: 'sum' | 'max' = 'sum',
  ): Gauge<L> {
    return new Gauge({
      name: `penstock_${name}`,
      help,
      labelNames,
      aggregator: over,
      registers: [this.registry],
    });
  }

  #histogram<L extends string>(name: string, help: string, labelNames: L[]): Histogram<L> {
    return new Histogram({
      name: `penstock_${name}`,
      help,
      labelNames,
      buckets: LATENCY_BUCKETS,
      registers: [this.registry],
    });
  }
}

/** Which configuration a process goes by. */
export function tellConfig({ config }: Metrics, hash: string): void {
  config.reset();
  config.set({ hash }, 1);
}
