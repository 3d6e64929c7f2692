import type { SchemaId, SchemaSource, WriterSchema } from '../../core/decode/schema/writer-schema.ts';
import { errorMessage, PoisonError, RetryableError } from '../../core/model/errors.ts';
import { RegistryClient } from '../../io/registry/client.ts';
import type { RegistryOptions } from '../../io/registry/options.ts';

/**
 * One schema for a command that shows a record and ends: asked for once. What the registry says instead of it, or that
 * it does not answer, is told to whoever needs the schema. Undefined where no registry is configured.
 *
 * @throws ConfigError when a certificate or key file cannot be used
 */
export async function oneSchema(options: RegistryOptions, id: SchemaId): Promise<SchemaSource | undefined> {
  const { url } = options;
  if (url === undefined) return undefined;
  const client = new RegistryClient({ ...options, url });
  try {
    const schema: WriterSchema = await client.fetch(id);
    return { schema: () => schema };
  } catch (error) {
    if (!(error instanceof PoisonError) && !(error instanceof RetryableError)) throw error;
    const fault = new PoisonError('decode', 'schema_id', errorMessage(error), { cause: error });
    return {
      schema() {
        throw fault;
      },
    };
  } finally {
    await client.close();
  }
}
