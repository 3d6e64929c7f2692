import { ConfigError, errorMessage } from '../../core/model/errors.ts';
import type { PreparedChange } from '../../core/model/prepared-change.ts';
import type { ConfigTexts, Message, Order, ProcessReport } from './messages.ts';

/** Interval of unsolicited reports. Counts since the last one are lost when the process is killed. */
const REPORT_MS = 1_000;

/** The part of Node's IPC channel that a child process needs; `process` implements it. */
export interface Channel {
  send?: ((message: Message, done: () => void) => unknown) | undefined;
  on(event: 'message', listener: (order: Order) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

/** A supervised process, as its supervisor sees it. */
export interface Supervised {
  report(): Promise<ProcessReport>;
  /** Prepares a reload. Rejects with the faults of the texts. May be called again before it resolves. */
  prepare(texts: ConfigTexts): Promise<PreparedChange>;
}

/** A supervised process' end of the connection to its supervisor. */
export class SupervisorLink {
  readonly #channel: Channel;
  readonly #started = Promise.withResolvers<ConfigTexts>();
  readonly #stop = Promise.withResolvers<'order' | 'supervisor gone'>();
  readonly #served = Promise.withResolvers<Supervised>();
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  /** Number of the reload that is being prepared, or is prepared. */
  #reload: number | undefined;
  #change: PreparedChange | undefined;

  /** @throws ConfigError without a supervisor at the other end. */
  constructor(channel: Channel) {
    if (channel.send === undefined) {
      throw new ConfigError(
        'penstock worker: --process is for the processes that worker.processes starts; leave it out',
      );
    }
    this.#channel = channel;
    channel.on('message', (order) => void this.#obey(order));
    channel.on('disconnect', () => this.#stop.resolve('supervisor gone'));
  }

  /** The configuration to start with. */
  get configuration(): Promise<ConfigTexts> {
    return this.#started.promise;
  }

  /** Resolves when the process has to end: it was ordered to, or its supervisor is gone. */
  get stop(): Promise<'order' | 'supervisor gone'> {
    return this.#stop.promise;
  }

  /** Starts reporting. Orders to report or to prepare wait for this. */
  serve(supervised: Supervised): void {
    this.#served.resolve(supervised);
    this.#timer = setInterval(() => void this.report(), REPORT_MS);
    this.#timer.unref();
    void this.report();
  }

  async report(): Promise<void> {
    const supervised = await this.#served.promise;
    const report = await supervised.report();
    if (!this.#closed) await this.#send({ kind: 'report', report });
  }

  async unable(reason: string, wrongConfig: boolean): Promise<void> {
    await this.#send({ kind: 'unable', reason, wrongConfig });
  }

  /** Sends the last report. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.report();
    this.#closed = true;
  }

  async #obey(order: Order): Promise<void> {
    switch (order.kind) {
      case 'start':
        this.#started.resolve(order.texts);
        return;
      case 'stop':
        this.#stop.resolve('order');
        return;
      case 'report':
        return await this.report();
      case 'prepare':
        return await this.#prepare(order.reload, order.texts);
      case 'commit':
        return await this.#commit(order.reload);
      case 'abort':
        if (this.#reload === order.reload) this.#giveUp();
    }
  }

  async #prepare(reload: number, texts: ConfigTexts): Promise<void> {
    const supervised = await this.#served.promise;
    this.#giveUp();
    this.#reload = reload;
    let fault: string | undefined;
    let change: PreparedChange | undefined;
    try {
      change = await supervised.prepare(texts);
    } catch (error) {
      fault = errorMessage(error);
    }
    if (this.#reload !== reload) return change?.discard(); // aborted meanwhile, or superseded
    this.#change = change;
    await this.#send({ kind: 'prepared', reload, fault });
  }

  async #commit(reload: number): Promise<void> {
    if (this.#reload !== reload || this.#change === undefined) return;
    this.#change.commit();
    this.#change = this.#reload = undefined;
    await this.report();
    await this.#send({ kind: 'committed', reload });
  }

  #giveUp(): void {
    this.#change?.discard();
    this.#change = this.#reload = undefined;
  }

  /** Resolves once the channel has taken the message, or the supervisor is gone. */
  #send(message: Message): Promise<void> {
    return new Promise((resolve) => {
      try {
        this.#channel.send?.(message, () => resolve());
      } catch {
        resolve(); // the channel is closed: `stop` has resolved
      }
    });
  }
}
