/** The deployment as configured: which groups read which partitions of which topics. */
export interface ExpectedDeployment {
  /** The ingest topics, at least one, in the order of the configuration; one group reads them all. */
  readonly ingest: { readonly topics: readonly string[]; readonly group: string };
  readonly deadTopic: string;
  readonly taskTopics: readonly ExpectedTaskTopic[];
  readonly nodes: readonly ExpectedNode[];
}

export interface ExpectedTaskTopic {
  readonly topic: string;
  /** Names of the routes that write to it. */
  readonly routes: readonly string[];
  /** Number of tasks; partitions from here on belong to no node. */
  readonly count: number;
}

export interface ExpectedNode {
  readonly node: string;
  readonly url: string;
  /** One consumer group for each task topic. */
  readonly groups: readonly {
    readonly topic: string;
    readonly group: string;
    /** Partitions that hash 2 gives to the node now, ascending. */
    readonly tasks: readonly number[];
  }[];
}
