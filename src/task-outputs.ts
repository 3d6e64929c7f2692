import { headerText } from './decode/record-headers.ts';
import type { PipelineRoute } from './series-router.ts';
import { type BufferPool, TaskOutput, type TaskRecord, type Tenant } from './task-output.ts';

const NO_TENANT: Tenant = { key: '', headers: {} };
/** Tenants remembered from one flush to the next. */
const KEPT_TENANTS = 64;

/** The outputs of one tenant, in the order of routes and tasks. */
interface TenantOutputs {
  readonly tenant: Tenant;
  readonly byTask: (TaskOutput | undefined)[];
}

/** All outputs of a step: one per route, task and tenant, made when something comes for it. */
export class TaskOutputs {
  readonly #routes: readonly PipelineRoute[];
  readonly #tenantHeaders: readonly string[];
  readonly #pool: BufferPool;
  /** Number of a route's task 0 among all tasks; capacity of its outputs. */
  readonly #firstTask: number[] = [];
  readonly #capacity: number[] = [];
  readonly #tasks: number;
  #tenants = new Map<string, TenantOutputs>();
  #current: TenantOutputs;

  /** @param capacity bytes before compression that an output for this topic may reach */
  constructor(
    routes: readonly PipelineRoute[],
    tenantHeaders: readonly string[],
    capacity: (topic: string) => number,
    pool: BufferPool,
  ) {
    this.#routes = routes;
    this.#tenantHeaders = tenantHeaders;
    this.#pool = pool;
    let tasks = 0;
    for (const route of routes) {
      this.#firstTask.push(tasks);
      this.#capacity.push(capacity(route.topic));
      tasks += route.count;
    }
    this.#tasks = tasks;
    this.#current = this.#select(NO_TENANT);
  }

  /** Chooses the tenant that the following `of` are about. */
  tenant(headers: Readonly<Record<string, Buffer | string | null | undefined>>): void {
    if (this.#tenantHeaders.length === 0) return;
    const found: Record<string, string> = {};
    let key = '';
    for (const name of this.#tenantHeaders) {
      const value = headerText(headers, name.toLowerCase());
      if (value === '') continue;
      found[name] = value;
      key += `${name}\0${value}\0`;
    }
    if (key === this.#current.tenant.key) return;
    this.#current = this.#select({ key, headers: found });
  }

  /** Headers of the tenant chosen last. */
  get tenantHeaders(): Tenant['headers'] {
    return this.#current.tenant.headers;
  }

  /** The output of the tenant chosen last for a route's task. */
  of(route: number, task: number): TaskOutput {
    const number = this.#firstTask[route]! + task;
    const { byTask, tenant } = this.#current;
    return (byTask[number] ??= new TaskOutput(
      this.#routes[route]!,
      task,
      tenant,
      this.#capacity[route]!,
      this.#pool,
    ));
  }

  /** The records of all outputs, by tenant, route and task. */
  drain(): TaskRecord[] {
    const records: TaskRecord[] = [];
    for (const { byTask } of this.#tenants.values()) for (const output of byTask) output?.drain(records);
    if (this.#tenants.size > KEPT_TENANTS) {
      this.#tenants = new Map();
      this.#current = this.#select(NO_TENANT);
    }
    return records;
  }

  #select(tenant: Tenant): TenantOutputs {
    let outputs = this.#tenants.get(tenant.key);
    if (!outputs) {
      outputs = { tenant, byTask: new Array<TaskOutput | undefined>(this.#tasks).fill(undefined) };
      this.#tenants.set(tenant.key, outputs);
    }
    return outputs;
  }
}
