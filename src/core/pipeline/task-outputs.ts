import type { TaskRecord, Tenant } from '../model/records.ts';
import type { RecordHeaders } from '../record/headers.ts';
import type { PipelineRoute } from './series-router.ts';
import { type BufferPool, OutputLoad, TaskOutput } from './task-output.ts';
import { tenantHeadersOf } from './tenant.ts';

const NO_TENANT: Tenant = { key: '', headers: {} };

/** Bytes of an element in a tenant's list of outputs. */
const POINTER_BYTES = 8;

/** The outputs of one tenant, in the order of routes and tasks. */
interface TenantOutputs {
  readonly tenant: Tenant;
  readonly byTask: (TaskOutput | undefined)[];
}

export interface OutputRules {
  readonly routes: readonly PipelineRoute[];
  /** Names of the headers that tell tenants apart, and the longest value of one. */
  readonly tenantHeaders: readonly string[];
  readonly tenantBytes?: number | undefined;
  /** Bytes before compression that an output for this topic may reach. */
  readonly capacity: (topic: string) => number;
  readonly pool: BufferPool;
}

/** All outputs of a step: one per route, task and tenant, made on first use. */
export class TaskOutputs {
  /** Totals of all outputs. */
  readonly load = new OutputLoad();
  readonly #rules: OutputRules;
  /** By route: index of its task 0 among all tasks; capacity of its outputs. */
  readonly #firstTask: number[] = [];
  readonly #capacity: number[] = [];
  readonly #tasks: number;
  readonly #tenants = new Map<string, TenantOutputs>();
  #current: TenantOutputs;

  constructor(rules: OutputRules) {
    this.#rules = rules;
    let tasks = 0;
    for (const route of rules.routes) {
      this.#firstTask.push(tasks);
      this.#capacity.push(rules.capacity(route.topic));
      tasks += route.count;
    }
    this.#tasks = tasks;
    this.#current = this.#select(NO_TENANT);
  }

  /** Selects the tenant for the following calls of `of`. @throws PoisonError `tenant` */
  tenant(headers: RecordHeaders): void {
    const { tenantHeaders, tenantBytes } = this.#rules;
    if (tenantHeaders.length === 0) return;
    const found = tenantHeadersOf(headers, tenantHeaders, tenantBytes);
    let key = '';
    for (const name in found) key += `${name}\0${found[name]}\0`;
    if (key === this.#current.tenant.key) return;
    this.#current = this.#select({ key, headers: found });
  }

  /** Headers of the selected tenant. */
  get tenantHeaders(): Tenant['headers'] {
    return this.#current.tenant.headers;
  }

  /** Output of the selected tenant for a route's task. */
  of(route: number, task: number): TaskOutput {
    const number = this.#firstTask[route]! + task;
    const { byTask, tenant } = this.#current;
    return (byTask[number] ??= new TaskOutput(
      this.#rules.routes[route]!,
      task,
      tenant,
      this.#capacity[route]!,
      this.#rules.pool,
      this.load,
    ));
  }

  /** Hands over the records, by tenant, route and task. */
  finish(): TaskRecord[] {
    const records: TaskRecord[] = [];
    for (const { byTask } of this.#tenants.values()) for (const output of byTask) output?.finish(records);
    return records;
  }

  #select(tenant: Tenant): TenantOutputs {
    let outputs = this.#tenants.get(tenant.key);
    if (!outputs) {
      outputs = { tenant, byTask: new Array<TaskOutput | undefined>(this.#tasks).fill(undefined) };
      this.#tenants.set(tenant.key, outputs);
      this.load.bytes += this.#tasks * POINTER_BYTES + tenant.key.length;
    }
    return outputs;
  }
}
