import type { SchemaId, SchemaSource, WriterSchema } from '../../core/decode/schema/writer-schema.ts';
import { errorMessage, PoisonError, RetryableError } from '../../core/model/errors.ts';
import { RegistryClient } from '../../io/registry/client.ts';
import type { RegistryOptions } from '../../io/registry/options.ts';

/**
 * Source of a single schema, fetched once, for a command that shows one record. If the registry refuses or does not
 * answer, using the schema throws that as a PoisonError. Undefined if no registry is configured.
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
