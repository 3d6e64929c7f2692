import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds. From one step of the worker to an outage of an hour. */
const LATENCY_BUCKETS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 300, 3600];

/** All metrics of a Penstock process; docs/reference/metrics.md lists them for operators. */
export class Metrics {
  readonly registry = new Registry();
  readonly ingestRecords = this.#counter(
    'ingest_records_total',
    'Records read from an ingest topic and committed.',
    ['topic'],
  );
  readonly ingestBytes = this.#counter(
    'ingest_bytes_total',
    'Bytes of records read from an ingest topic and committed.',
    ['topic'],
  );
  readonly samples = this.#counter(
    'samples_total',
    'Samples by stage: ingest (decoded), route (given to a route), publish (committed to a task topic), deliver (accepted by the node).',
    ['stage', 'route', 'topic'],
  );
  readonly series = this.#counter(
    'series_total',
    'Series entries in requests, by stage as in penstock_samples_total.',
    ['stage', 'route', 'topic'],
  );
  readonly dropped = this.#counter(
    'dropped_samples_total',
    'Samples left out on purpose, by reason: no_route (no route matches the series), relabel (by a rule).',
    ['reason', 'route', 'topic'],
  );
  readonly newSeries = this.#counter(
    'route_new_series_total',
    'Series that a route sent on and that the series cache did not know: new ones, and those that it had no room for.',
    ['route'],
  );
  readonly newSeriesWithoutLabel = this.#counter(
    'route_new_series_without_label_total',
    'New series without this group label after relabeling. Where it is nearly all new series the label is lost.',
    ['route', 'label'],
  );
  readonly uncarried = this.#counter(
    'uncarried_total',
    'Parts of requests that task topics cannot carry, by kind: metadata, unknown_field, exemplars, start_timestamp, empty_record and others.',
    ['kind', 'topic'],
  );
  readonly withoutTime = this.#counter(
    'records_without_time_total',
    'Ingest records whose Kafka time is absent or impossible; the time of receipt is taken.',
    ['topic'],
  );
  readonly outOfRange = this.#counter(
    'out_of_range_samples_total',
    'Samples set aside for their times, by kind: too_old, in_future (worker.limits.max_age, max_future).',
    ['kind', 'topic'],
  );
  readonly unstorable = this.#counter(
    'unstorable_samples_total',
    'Samples sent on although no storage takes their times, by kind: past (before 1971, as seconds taken for milliseconds), future (more than two days ahead).',
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
    'Records and series set aside as dead letters, by stage, reason and source topic.',
    ['stage', 'reason', 'topic'],
  );
  readonly corruptBatches = this.#counter(
    'corrupt_batches_total',
    'Record batches that cannot be read, set aside as dead letters.',
    ['topic'],
  );
  readonly heldUp = this.#gauge(
    'held_up_partitions',
    '1 while a partition waits at a record batch that cannot be read; absent else.',
    ['topic', 'partition'],
  );
  readonly topicTrouble = this.#gauge(
    'topic_trouble',
    '1 while a topic cannot be read or written to, by kind: missing, unauthorized, too_few_partitions, no_leader, too_few_replicas, small_max_message_bytes, records_refused; absent else.',
    ['topic', 'kind'],
    'max',
  );
  readonly waitingPartitions = this.#gauge(
    'waiting_partitions',
    'Assigned partitions of topic that wait for the topic waits_for, which may be their own.',
    ['topic', 'waits_for'],
  );
  readonly defects = this.#counter(
    'defects_total',
    'Records set aside because of a defect of Penstock, by source topic; the log has the stack.',
    ['topic'],
  );
  readonly transactions = this.#counter(
    'transactions_total',
    'Steps by result: committed, or failed and tried again.',
    ['result'],
  );
  readonly transactionSeconds = this.#histogram('publish_seconds', 'Duration of publishing one step.', []);
  readonly offsetGaps = this.#counter(
    'offset_gap_records_total',
    'Records missing where reading begins, by reason: retention, made_anew (the topic was deleted and made again), truncated (lost by the brokers), expired (committed offsets were forgotten, records may be read again). 1 where it cannot be known how many.',
    ['topic', 'reason'],
  );
  readonly publishLatency = this.#histogram(
    'publish_latency_seconds',
    'Time from the newest sample of a step to its commit in the task topics.',
    [],
  );
  readonly deliverLatency = this.#histogram(
    'deliver_latency_seconds',
    'Time from the Kafka time of the source record (penstock-timestamp) to acceptance by the node; of redriven records from the redrive.',
    ['node'],
  );
  readonly deliverRequests = this.#counter(
    'deliver_requests_total',
    'Remote-write requests by status code.',
    ['node', 'code'],
  );
  readonly deliverRetries = this.#counter(
    'deliver_retries_total',
    'Remote-write requests tried again, by reason: http_ and the status, or connection.',
    ['node', 'reason'],
  );
  readonly partitionStarts = this.#counter(
    'drain_partition_starts_total',
    'Task partitions begun that the node did not read before, by origin: taken_over (where the last owner stood), never_read (at the oldest record), expired and made_anew (the same, after an offset gap).',
    ['topic', 'from'],
  );
  readonly waitingForOwner = this.#gauge(
    'drain_waiting_for_owner',
    "1 while a partition that has come to this node waits until another node's drain lets go of it; absent else.",
    ['topic', 'partition'],
  );
  readonly possibleRepeats = this.#counter(
    'deliver_possible_repeats_total',
    'Requests that the node may have taken before, by reason: takeover (the first of a partition that was not handed over), unanswered (an attempt got no answer). At least as many as were repeated.',
    ['node', 'reason'],
  );
  readonly sourceFaults = this.#counter(
    'source_faults_total',
    'Records of a task topic out of sequence by their penstock-source, by fault: repeated, missing (a part of a step).',
    ['topic', 'fault'],
  );
  readonly late = this.#counter(
    'late_samples_total',
    'Samples of records that the node accepted later than drain.late_after from the time of their source: an aggregation may have closed their window.',
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
    'Age of the oldest record that waits in a partition, by its timestamp; 0 where none does. A record that was not fetched yet counts from when it was first seen to wait.',
    ['group', 'topic', 'partition'],
  );
  readonly lagUnknown = this.#gauge(
    'consumer_lag_unknown_partitions',
    'Partitions that this process reads and whose offsets Kafka has not told for 15 s.',
    ['group', 'topic'],
  );
  readonly unread = this.#gauge(
    'unread_partitions',
    'Partitions that no worker, or no drain of their node, reads; told by one process of the deployment.',
    ['group', 'topic'],
  );
  /** Over several processes, the longest silence. */
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
    'Series by result: predicted and found (known), missed (new); of those unkept (no room), evicted (made room).',
    ['result'],
  );
  readonly reloads = this.#counter(
    'config_reloads_total',
    'Reloads of the configuration, by result: applied, refused.',
    ['result'],
  );
  /** This and the next one are set by the service as a whole, not by its processes. */
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
  readonly config = this.#gauge('config_info', '1 for each process: hash of the configuration in force.', [
    'hash',
  ]);
  readonly processes = this.#gauge(
    'worker_processes',
    'Processes of a worker with worker.processes, by state: starting, running, waiting (to be started again).',
    ['state'],
  );
  readonly processRestarts = this.#counter(
    'worker_process_restarts_total',
    'Times that a process of a worker with worker.processes ended by itself.',
    ['process'],
  );

  /** Set by the service as a whole, not by its processes. */
  readonly ready = this.#gauge('ready', '1 while /-/ready answers 200, else 0.', []);
  readonly build = this.#gauge('build_info', 'Always 1: version, Node.js version and command.', [
    'version',
    'nodejs_version',
    'command',
  ]);

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    // prom-client starts at 0, which would be wrong for processes that cannot reload.
    this.reloadSuccessful.remove();
    this.reloadSuccess.remove();
  }

  /** Sets a worker's counters used in alerts to 0: otherwise Prometheus would not see their first increase. */
  beginIngest(topics: readonly string[]): void {
    for (const topic of topics) {
      this.dropped.inc({ reason: 'no_route', route: '', topic }, 0);
      for (const kind of ['too_old', 'in_future']) this.outOfRange.inc({ kind, topic }, 0);
      for (const kind of ['past', 'future']) this.unstorable.inc({ kind, topic }, 0);
      this.#beginReading(topic);
    }
    for (const result of ['committed', 'failed']) this.transactions.inc({ result }, 0);
  }

  /** Replaces the present topic faults. */
  showTroubles(troubles: readonly { readonly topic: string; readonly kind: string }[]): void {
    this.topicTrouble.reset();
    for (const { topic, kind } of troubles) this.topicTrouble.set({ topic, kind }, 1);
  }

  /** Sets a drain's counters used in alerts to 0 (see `beginIngest`). */
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

  /** @param over how values of several processes are merged (merge.ts) */
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

/** Sets `config_info` to the configuration in force. */
export function tellConfig({ config }: Metrics, hash: string): void {
  config.reset();
  config.set({ hash }, 1);
}
