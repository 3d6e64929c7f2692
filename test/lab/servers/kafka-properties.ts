/** The settings of test brokers: production's behaviour, sized for many small clusters on a small machine. */

/** Ports of one node on 127.0.0.1. */
export interface NodePorts {
  client: number;
  controller: number;
}

/** A listener of a broker, beside PLAINTEXT. */
export interface Listener {
  /** In capitals; its own settings begin with `listener.name.<name in lower case>.`. */
  name: string;
  port: number;
  protocol: 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT';
}

/** The settings by which a broker listens on `ports`, and on `extra` beside them. */
export function listenerProperties(ports: NodePorts, extra: readonly Listener[]): Record<string, string> {
  const clients = [{ name: 'PLAINTEXT', port: ports.client, protocol: 'PLAINTEXT' }, ...extra];
  const addresses = clients.map(({ name, port }) => `${name}://127.0.0.1:${port}`);
  const protocols = clients.map(({ name, protocol }) => `${name}:${protocol}`);
  return {
    'listener.security.protocol.map': [...protocols, 'CONTROLLER:PLAINTEXT'].join(','),
    listeners: [...addresses, `CONTROLLER://127.0.0.1:${ports.controller}`].join(','),
    'advertised.listeners': addresses.join(','),
  };
}

/** Broker settings of node `nodeId` (from 1) of a KRaft cluster in which every node is broker and controller. */
export function brokerProperties(
  nodeId: number,
  ports: NodePorts[],
  logDir: string,
  overrides: Record<string, string>,
  extra: readonly Listener[] = [],
): Record<string, string> {
  const own = ports[nodeId - 1]!;
  const replicas = String(ports.length);
  const minIsr = ports.length === 1 ? '1' : '2';
  const voters = ports.map((node, index) => `${index + 1}@127.0.0.1:${node.controller}`).join(',');
  return {
    'process.roles': 'broker,controller',
    'node.id': String(nodeId),
    'controller.quorum.voters': voters,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    ...listenerProperties(own, extra),
    'log.dirs': logDir,

    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': minIsr,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minIsr,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minIsr,

    // Each of these partitions costs files and start-up time; the default of 50 is for large clusters.
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.num.partitions': '4',
    // Groups of tests do not gain from waiting for more members.
    'group.initial.rebalance.delay.ms': '0',
    // A killed broker is given up, and may register again, after the session: 9 s by default.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'background.threads': '2',
    // Allocated from the heap at start-up, 128 MB by default.
    'log.cleaner.dedupe.buffer.size': '4194304',
    'offsets.load.buffer.size': '1048576',
    'transaction.state.log.load.buffer.size': '1048576',
    ...overrides,
  };
}
