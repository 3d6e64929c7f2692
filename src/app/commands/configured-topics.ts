import { type WantedTopic, wantedTopics } from '../../services/topics/wanted.ts';
import { ingestTopics } from '../../services/worker/options.ts';
import type { Config } from '../config/load.ts';

/** The topics that a configuration needs. */
export function configuredTopics(config: Config): WantedTopic[] {
  return wantedTopics({
    ...config,
    ingest: {
      topics: ingestTopics(config.worker).map(({ topic }) => topic),
      deadTopic: config.worker.dead_topic,
    },
    isGiven: (path) => config.positions.isGiven(path),
  });
}
