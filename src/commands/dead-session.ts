import type { Config } from '../config/load.ts';
import type { KafkaAdmin } from '../kafka/admin.ts';
import type { KafkaConnection } from '../kafka/client.ts';

/** What every action is given. */
export interface DeadSession {
  readonly config: Config;
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
  readonly topic: string;
  readonly json: boolean;
}
