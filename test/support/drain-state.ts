/** State of a running drain, from its admin server. */
import type { Running } from '../lab/deployment/deployment.ts';

/** The tasks that it holds now, in order. */
export async function heldTasks({ admin }: Running): Promise<number[]> {
  const response = await fetch(`${admin}/api/status`);
  const { partitions } = (await response.json()) as { partitions: { partition: number }[] };
  return partitions.map(({ partition }) => partition).sort((a, b) => a - b);
}

/** Those of them that another node's drain has not released yet, in order. */
export async function waitingTasks({ admin }: Running): Promise<number[]> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const lines = text.matchAll(/^penstock_drain_waiting_for_owner\{.*partition="(\d+)".*\} 1$/gm);
  return [...lines].map(([, partition]) => Number(partition)).sort((a, b) => a - b);
}

/** Number of tasks begun that the node did not read before, by where they began. */
export function partitionStarts(drain: Running): Promise<Record<string, number>> {
  return counters(drain, 'penstock_drain_partition_starts_total', 'from');
}

/** Number of requests that the node may have taken twice, by reason, as the drain counts them. */
export function possibleRepeats(drain: Running): Promise<Record<string, number>> {
  return counters(drain, 'penstock_deliver_possible_repeats_total');
}

/** Number of failed attempts that were retried, by reason. */
export function retries(drain: Running): Promise<Record<string, number>> {
  return counters(drain, 'penstock_deliver_retries_total');
}

/** Values above 0 of a counter by a label. */
async function counters({ admin }: Running, name: string, label = 'reason'): Promise<Record<string, number>> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const lines = text.matchAll(new RegExp(`^${name}\\{.*${label}="(\\w+)".*\\} (\\d+)$`, 'gm'));
  const values = [...lines].map(([, reason, value]) => [reason!, Number(value)] as const);
  return Object.fromEntries(values.filter(([, value]) => value > 0));
}
