/**
 * The boundary between kafkajs and Penstock's own code. Which of the two is at fault is known by where an error is
 * caught: kafkajs throws JavaScript's own errors in transient trouble, as with a cluster without known leaders or a
 * connection that has just closed, and a retry helps. From Penstock's code the same errors are defects.
 */
import { DefectError, errorMessage } from '../../../core/model/errors.ts';
import { isDefect } from '../errors.ts';

/** A mistake inside kafkajs: transient trouble of Kafka, unless it lasts. */
export class ClientMistakeError extends Error {
  override readonly name = 'ClientMistakeError';
}

/** A defect in a callback that kafkajs has called. */
class CallbackDefectError extends DefectError {
  /** Has kafkajs give up, where it would call the callback again for ever. */
  readonly retriable = false;
}

/** An object of kafkajs, whose methods throw `ClientMistakeError` for mistakes of its own. */
export function ofClient<T extends object>(client: T): T {
  return guarded(client, ofKafkaJs);
}

/**
 * An object or a callback of Penstock for kafkajs to call: what is wrong in it is a defect, also after kafkajs has
 * passed the error on.
 */
export function ofPenstock<T extends object>(callbacks: T): T {
  return guarded(callbacks, ofOurs);
}

/** The object, or function, whose errors are replaced by what `as` makes of them. */
function guarded<T extends object>(target: T, as: (error: unknown) => unknown): T {
  const rethrow = (error: unknown) => {
    throw as(error);
  };
  const call = (method: object, self: unknown, args: unknown[]): unknown => {
    try {
      const result: unknown = Reflect.apply(method as () => unknown, self, args);
      return result instanceof Promise ? result.catch(rethrow) : result;
    } catch (error) {
      return rethrow(error);
    }
  };
  return new Proxy(target, {
    get(_, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => call(member, target, args);
    },
    apply: (_, self, args) => call(target, self, args),
  });
}

function ofKafkaJs(error: unknown): unknown {
  const isOwn = isDefect(error) && !(error instanceof DefectError);
  return isOwn ? new ClientMistakeError(errorMessage(error), { cause: error }) : error;
}

function ofOurs(error: unknown): unknown {
  if (!isDefect(error) || error instanceof CallbackDefectError) return error;
  return new CallbackDefectError(`a defect of Penstock: ${errorMessage(error)}`, { cause: error });
}
