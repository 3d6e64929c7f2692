/** Holds transactions of this process at one of their requests: just before it, while it is under way, or after it. */
import { createRequire } from 'node:module';
// Loads kafkajs with our patches: the patched requests are wrapped here.
import '../../src/io/kafka/client/connection.ts';

/** Requests of a transaction, and of the session around it, to coordinators and partition leaders. */
export const REQUESTS = [
  'initProducerId',
  'offsetFetch',
  'addOffsetsToTxn',
  'txnOffsetCommit',
  'addPartitionsToTxn',
  'produce',
  'endTxn',
] as const;
export type RequestName = (typeof REQUESTS)[number];

export const MOMENTS = ['before it', 'under way', 'after it'] as const;
export type Moment = (typeof MOMENTS)[number];

/** A place in a transaction. */
export interface Step {
  readonly request: RequestName;
  readonly moment: Moment;
}

interface TransactionRequest {
  readonly transactionalId?: string | null;
  readonly groupId?: string;
  readonly topics?: readonly { readonly partitions: readonly { readonly partition: number }[] }[];
}

type Send = (request: TransactionRequest) => Promise<unknown>;

/** Holds transactions at their steps until they are released. */
export class HeldSteps {
  readonly #groupId: string;
  readonly #partitionOf = new Map<string, number>();
  readonly #steps = new Map<number, Step>();
  #letGo = Promise.withResolvers<void>();

  /** @param groupId group of the transactions' source partitions */
  constructor(groupId: string) {
    this.#groupId = groupId;
    const { prototype } = createRequire(import.meta.url)('kafkajs/src/broker') as {
      prototype: Record<RequestName, Send>;
    };
    for (const name of REQUESTS) {
      const send = prototype[name];
      const handle = (request: TransactionRequest, original: () => Promise<unknown>) =>
        this.#send(name, request, original);
      prototype[name] = function (this: unknown, request) {
        return handle(request, () => send.call(this, request));
      };
    }
  }

  /** Transactional ids that have committed offsets, by source partition. */
  get transactionalIds(): ReadonlyMap<number, string> {
    return new Map([...this.#partitionOf].map(([id, partition]) => [partition, id]));
  }

  /** Number of partitions that have not reached their step. */
  get missing(): number {
    return this.#steps.size;
  }

  /** Holds the transactions of each source partition when they reach its step. */
  hold(steps: ReadonlyMap<number, Step>): void {
    this.#letGo = Promise.withResolvers();
    for (const [partition, step] of steps) this.#steps.set(partition, step);
  }

  /** Releases all. */
  release(): void {
    this.#steps.clear();
    this.#letGo.resolve();
  }

  async #send(
    name: RequestName,
    request: TransactionRequest,
    send: () => Promise<unknown>,
  ): Promise<unknown> {
    const partition = this.#partition(name, request);
    const step = partition === undefined ? undefined : this.#steps.get(partition);
    if (partition === undefined || step?.request !== name) return await send();
    this.#steps.delete(partition);
    const { promise } = this.#letGo;
    // A step under way is sent together with all the others at the moment of the fault.
    if (step.moment !== 'after it') await promise;
    const answer = await send();
    if (step.moment === 'after it') await promise;
    return answer;
  }

  #partition(
    name: RequestName,
    { groupId, transactionalId, topics }: TransactionRequest,
  ): number | undefined {
    if (groupId !== undefined && groupId !== this.#groupId) return undefined;
    const named = topics?.[0]?.partitions[0]?.partition;
    if (name === 'offsetFetch') return named;
    if (transactionalId == null) return undefined;
    if (name === 'txnOffsetCommit' && named !== undefined) this.#partitionOf.set(transactionalId, named);
    return this.#partitionOf.get(transactionalId);
  }
}
