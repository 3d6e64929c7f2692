/** Stops the requests of transactions on their way, in this process: just before one, while it is under way, after it. */
import { createRequire } from 'node:module';
// Loads kafkajs with its replacements: what is wrapped here is theirs.
import '../../src/io/kafka/client.ts';

/** What a transaction and the session around it ask of coordinators, and of the leaders of the partitions. */
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

/** Work that is held where a step is, until it is let go. */
export class HeldSteps {
  readonly #groupId: string;
  readonly #partitionOf = new Map<string, number>();
  readonly #steps = new Map<number, Step>();
  #letGo = Promise.withResolvers<void>();

  /** @param groupId whose source partitions the transactions are of */
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

  /** Transactional ids, by source partition, as far as they have committed offsets. */
  get transactionalIds(): ReadonlyMap<number, string> {
    return new Map([...this.#partitionOf].map(([id, partition]) => [partition, id]));
  }

  /** How many partitions are still on their way to their step. */
  get missing(): number {
    return this.#steps.size;
  }

  /** Holds the transactions of each source partition at its step, when they come there. */
  hold(steps: ReadonlyMap<number, Step>): void {
    this.#letGo = Promise.withResolvers();
    for (const [partition, step] of steps) this.#steps.set(partition, step);
  }

  /** Lets all go on. */
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
    // One that is under way is sent with all the others at the moment of the fault.
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
