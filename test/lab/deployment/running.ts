/** A running command, and what its admin server says. */

import { freePort } from '../ports.ts';
import type { WaitOptions } from '../process.ts';
import { readMetrics } from './metrics-page.ts';
import { type PenstockOptions, type PenstockProcess, spawnPenstock } from './penstock.ts';

export interface Running {
  readonly process: PenstockProcess;
  /** URL of its admin server. */
  readonly admin: string;
}

/** Starts a long-running command with its admin server on a free port. */
export async function launch(args: string[], options: PenstockOptions): Promise<Running> {
  return launchOn(await freePort(), args, options);
}

/** The same on a given port. */
export function launchOn(port: number, args: string[], options: PenstockOptions): Running {
  const listen = `127.0.0.1:${port}`;
  const env = { PENSTOCK_ADMIN_LISTEN: listen, ...options.env };
  return { process: spawnPenstock(args, { ...options, env }), admin: `http://${listen}` };
}

/** Waits until `/-/ready` answers 2xx. */
export function untilReady({ process, admin }: Running, options: WaitOptions = {}): Promise<void> {
  return process.waitForHttp(`${admin}/-/ready`, options);
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** The answer of `/-/ready` on an admin server. */
export function readiness(admin: string): Promise<Answer> {
  return ask(`${admin}/-/ready`);
}

/** Reloads a process, as an operator on its machine does. */
export function reload({ admin }: Running): Promise<Answer> {
  return ask(`${admin}/-/reload`, { method: 'POST', headers: { 'x-penstock-reload': '1' } });
}

async function ask(url: string, request: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, request);
  return { status: response.status, text: await response.text() };
}

/** Value of a series on /metrics, written as there; undefined if absent. */
export async function metricOf(running: Pick<Running, 'admin'>, series: string): Promise<number | undefined> {
  return (await readMetrics(running)).value(series);
}

/** Values above 0 of a counter by a label. */
async function counters(running: Running, name: string, label = 'reason'): Promise<Record<string, number>> {
  const lines = (await readMetrics(running)).find(name).filter(({ value }) => value > 0);
  return Object.fromEntries(lines.map(({ labels, value }) => [labels[label]!, value]));
}

/** The tasks that a drain holds now, in order. */
export async function heldTasks({ admin }: Running): Promise<number[]> {
  const response = await fetch(`${admin}/api/status`);
  const { partitions } = (await response.json()) as { partitions: { partition: number }[] };
  return partitions.map(({ partition }) => partition).sort((a, b) => a - b);
}

/** Those of them that another node's drain has not released yet, in order. */
export async function waitingTasks(drain: Running): Promise<number[]> {
  const lines = (await readMetrics(drain)).find('penstock_drain_waiting_for_owner');
  const waiting = lines.filter(({ value }) => value === 1);
  return waiting.map(({ labels }) => Number(labels['partition'])).sort((a, b) => a - b);
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
