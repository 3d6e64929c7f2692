import { lend } from '../../../core/wire/memory.ts';

/** Size and correlation id, in front of each answer (Kafka protocol, response header v0). */
const HEAD_BYTES = 8;
const SIZE_BYTES = 4;
const CORRELATION_BYTES = 4;
/**
 * Allocated up front at most, in bytes; beyond that the buffer grows as bytes arrive, since the size field cannot be
 * trusted.
 */
const FIRST_BYTES = 16 * 1024 * 1024;

const EMPTY = Buffer.alloc(0);

/** A whole answer of a broker. */
export interface BrokerResponse {
  /** Bytes behind the size field. */
  readonly size: number;
  readonly correlationId: number;
  /** Bytes after the correlation id, in memory of their own, which may be given back. */
  readonly payload: Buffer;
}

/**
 * Assembles responses from the pieces that a socket delivers.
 *
 * Each byte is copied once, into a buffer of the response's size (up to 16 MiB; larger ones grow). kafkajs concatenates
 * the pieces twice.
 */
export class ResponseReader {
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  #payload = EMPTY;
  #payloadBytes = 0;

  /**
   * Takes a piece; its memory may be reused afterwards.
   *
   * @param answered called for each response that the piece completes
   * @throws Error for a negative size, which no Kafka broker sends
   */
  push(piece: Buffer, answered: (response: BrokerResponse) => void): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#headBytes < HEAD_BYTES) {
        const taken = piece.copy(this.#head, this.#headBytes, at);
        this.#headBytes += taken;
        at += taken;
        if (this.#headBytes < HEAD_BYTES) return;
        if (this.#payloadSize < 0) throw new Error('an answer without a size: is this a Kafka broker?');
      }
      this.#makeRoom();
      const taken = piece.copy(this.#payload, this.#payloadBytes, at);
      this.#payloadBytes += taken;
      at += taken;
      if (this.#payloadBytes === this.#payloadSize) answered(this.#take());
    }
  }

  get #payloadSize(): number {
    return this.#head.readInt32BE(0) - CORRELATION_BYTES;
  }

  #makeRoom(): void {
    if (this.#payloadBytes < this.#payload.length) return;
    const most = Math.max(FIRST_BYTES, 2 * this.#payload.length);
    const grown = lend(Math.min(this.#payloadSize, most));
    this.#payload.copy(grown);
    this.#payload = grown;
  }

  #take(): BrokerResponse {
    const size = this.#head.readInt32BE(0);
    const response = { size, correlationId: this.#head.readInt32BE(SIZE_BYTES), payload: this.#payload };
    this.#headBytes = 0;
    this.#payload = EMPTY;
    this.#payloadBytes = 0;
    return response;
  }
}
