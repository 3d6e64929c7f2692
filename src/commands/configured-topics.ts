import type { Config } from '../config/load.ts';
import { ingestTopics } from '../ingest/options.ts';
import { type WantedTopic, wantedTopics } from '../topics/wanted.ts';

/** The topics that a configuration needs. */
export function configuredTopics(config: Config): WantedTopic[] {
  return wantedTopics({
    ...config,
    ingest: {
      topics: ingestTopics(config.ingest).map(({ topic }) => topic),
      deadTopic: config.ingest.dead_topic,
    },
    isGiven: (path) => config.positions.isGiven(path),
  });
}
