import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ConfigError, errorMessage } from '../../../core/model/errors.ts';
import { FatalKafkaError } from '../../../io/kafka/errors.ts';

/** Output for lines. `bytes` counts what this process has written, for a file that of former ones too. */
export interface LineOutput {
  readonly bytes: number;
  write(text: Buffer): Promise<void>;
  /** Resolves when written lines survive a crash, as far as the output can promise that. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A file that is cut off at the last stored length when it is opened again. */
export class LineFile implements LineOutput {
  readonly #path: string;
  readonly #handle: FileHandle;
  #bytes: number;

  private constructor(path: string, handle: FileHandle, bytes: number) {
    this.#path = path;
    this.#handle = handle;
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws ConfigError if the file holds something, or cannot be created */
  static async requireNew(path: string): Promise<void> {
    await (await LineFile.open(path, undefined)).close();
  }

  /**
   * @param bytes length that the file has to have at least; undefined: it is new, or empty
   * @throws ConfigError if a new file holds something, or an old one is missing or too short
   */
  static async open(path: string, bytes: number | undefined): Promise<LineFile> {
    const flags = constants.O_RDWR | (bytes === undefined ? constants.O_CREAT : 0);
    let handle: FileHandle;
    try {
      handle = await open(path, flags);
    } catch (error) {
      throw new ConfigError(`--to-file: ${openFault(path, error)}`, { cause: error });
    }
    const stats = await handle.stat();
    const fault = stats.isFile()
      ? sizeFault(path, stats.size, bytes)
      : `${path} is no regular file; expected one, or - for standard output`;
    if (fault !== undefined) {
      await handle.close();
      throw new ConfigError(`--to-file: ${fault}`);
    }
    await handle.truncate(bytes ?? 0);
    return new LineFile(path, handle, bytes ?? 0);
  }

  async write(text: Buffer): Promise<void> {
    for (let at = 0; at < text.length; ) {
      const { bytesWritten } = await this.#tried(this.#handle.write(text, at, text.length - at, this.#bytes));
      at += bytesWritten;
      this.#bytes += bytesWritten;
    }
  }

  async sync(): Promise<void> {
    await this.#tried(this.#handle.datasync());
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Makes errors fatal: a full disk does not empty itself, and the replay can be resumed when there is room. */
  async #tried<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw new FatalKafkaError(
        `--to-file: ${this.#path} cannot be written any further: ${errorMessage(error)}; ${remedy(error)}`,
        { cause: error },
      );
    }
  }
}

function remedy(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'make room there';
    case 'EFBIG':
      return 'files are not allowed to be larger there (ulimit -f, or the file system)';
    default:
      return 'expected a file system that takes it';
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function sizeFault(path: string, size: number, bytes: number | undefined): string | undefined {
  if (bytes === undefined) {
    return size === 0 ? undefined : `${path} is there already; name another file, or remove it`;
  }
  if (size >= bytes) return undefined;
  return `${path} has ${size} bytes, and the replay had written ${bytes}; put the file back, or begin a new replay`;
}

function openFault(path: string, error: unknown): string {
  if (codeOf(error) !== 'ENOENT') return `${path} cannot be written: ${errorMessage(error)}`;
  return `${path} is not there; expected the file that the replay has begun, in a folder that exists`;
}

/** Standard output, or another stream: nothing can be taken back, so a replay that is resumed repeats its last step. */
export class LineStream implements LineOutput {
  readonly #stream: NodeJS.WritableStream;
  bytes = 0;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    // The write that failed reports it.
    stream.on('error', () => undefined);
  }

  /** @throws FatalKafkaError when nobody reads the stream any more, or it takes no more */
  async write(text: Buffer): Promise<void> {
    const failed = await new Promise<Error | null | undefined>((resolve) => {
      this.#stream.write(text, resolve);
    });
    if (failed) {
      const why =
        codeOf(failed) === 'EPIPE'
          ? 'nobody reads standard output any more'
          : 'standard output takes no more';
      throw new FatalKafkaError(`--to-file -: ${why}, so the samples were cut off: ${failed.message}`);
    }
    this.bytes += text.length;
  }

  async sync(): Promise<void> {}

  async close(): Promise<void> {}
}
