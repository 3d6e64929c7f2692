import { NODE_LABEL } from '../lab/truth/stored-samples.ts';

/** Names shared by the parts of the demo. */
export const NODES = ['vmagent-0', 'vmagent-1', 'vmagent-2'];
export const WORKERS = ['worker-0', 'worker-1', 'worker-2'];
export const RAW_TOPIC = 'metrics.raw';
/** Aggregation window: longer than a worker needs to take over its partitions on a busy machine. */
export const WINDOW_MS = 20_000;

export interface Addresses {
  brokers: string[];
  /** URL of each vmagent, in the order of NODES. */
  vmagents: string[];
}

/** The demo's penstock.yml: two routes that share the series between them, so that each sample is stored once. */
export function configuration({ brokers, vmagents }: Addresses): string {
  const nodes = NODES.map((name, at) => `  - { name: ${name}, url: '${vmagents[at]}' }`).join('\n');
  return `# Written by npm run demo. Each vmagent adds the label ${NODE_LABEL} with its own name.
kafka: { brokers: [${brokers.map((broker) => `'${broker}'`).join(', ')}] }

worker: { topic: ${RAW_TOPIC}, session_timeout: 10s, heartbeat_interval: 1s }

routes:
  # HTTP traffic, by service.
  - name: http
    match: ['{__name__=~"http_.*"}']
    relabel:
      - { source_labels: [namespace, service], separator: /, target_label: job }
      - { action: labeldrop, regex: container }
    task: { labels: [namespace, service], count: 12 }
  # Everything else, by service.
  - name: services
    match: ['{__name__!~"http_.*"}']
    relabel:
      - { source_labels: [namespace, service], separator: /, target_label: job }
    task: { labels: [namespace, service], count: 6 }

nodes:
${nodes}

drain: { session_timeout: 10s, heartbeat_interval: 1s }

topics:
  replication_factor: 1
  raw: { partitions: 6, retention: 1h }
  tasks: { retention: 1h }
`;
}
