import type { OwnershipMethod } from '../../core/hash/ownership.ts';
import type { TlsSettings } from '../../core/options/tls.ts';
import type { UsedTopics } from '../../io/kafka/topic/service-topics.ts';
import type { RemoteWriteClientOptions } from '../../io/remote-write/client.ts';
import type { NodeLoginOptions } from '../../io/remote-write/login.ts';
import type { GroupWatch } from '../../io/telemetry/group-gauges.ts';
import { type DrainRoute, NodeAssignment } from './assignment.ts';
import type { DrainOptions } from './options.ts';

/** Name, address and login of a node. */
export interface DrainNode extends NodeLoginOptions {
  readonly name: string;
  /** Instead of a number in its name. */
  readonly number?: number | undefined;
  readonly url: string;
  readonly tls?: TlsSettings | undefined;
}

/** What a drain runs with; a reload replaces it. */
export interface DrainSetup {
  readonly drain: DrainOptions;
  readonly routes: readonly DrainRoute[];
  readonly nodes: readonly DrainNode[];
  readonly ownership: OwnershipMethod;
  readonly deadTopic: string;
  /** Record headers that go to the node as HTTP headers. */
  readonly tenantHeaders: readonly string[];
  readonly userAgent: string;
  readonly watch?: GroupWatch;
}

/** The part of a setup that decides which node has which tasks. */
export function ownershipOf({ routes, nodes, ownership }: DrainSetup) {
  return {
    routes: routes.map(({ topic, count }) => ({ topic, count })),
    nodes: nodes.map(({ name, number }) => ({ name, number })),
    ownership,
  };
}

/** Which tasks its node has. */
export function assignmentOf({ routes, nodes, ownership, drain }: DrainSetup): NodeAssignment {
  return new NodeAssignment(routes, nodes, drain.node, ownership);
}

/** How its node is reached. */
export function clientOptions({ drain, nodes, userAgent }: DrainSetup): RemoteWriteClientOptions {
  const node = nodes.find(({ name }) => name === drain.node)!;
  return { url: node.url, timeoutMs: drain.request_timeout, userAgent, login: loginOf(node), tls: node.tls };
}

function loginOf({ basic_auth, bearer_token, bearer_token_file }: DrainNode): NodeLoginOptions {
  return { basic_auth, bearer_token, bearer_token_file };
}

/** Its topics: it reads the task topics, and writes dead letters only. */
export function usedBy({ routes, deadTopic }: DrainSetup): UsedTopics {
  const sources = [...new Set(routes.map(({ topic }) => topic))];
  return { sources, outputs: [], deadTopic };
}
