import type { TopicPlan } from './plan.ts';

/**
 * Differences between existing topics and the configuration, one line each, if records are at stake or `topics apply`
 * would change something. Missing topics and partitions are left out: `penstock status` reports them itself.
 */
export function topicDrift(plan: readonly TopicPlan[]): string[] {
  return plan.flatMap(({ topic, changes, hazards, refusals }) => {
    const settings = changes.flatMap((change) => (change.action === 'alter' ? change.settings : []));
    const altered = settings.map(
      ({ name, from, to }) => `${name} is ${from ?? 'unknown'}, configured is ${to}`,
    );
    const impossible = settings.length === 0 ? refusals : [];
    return [
      ...hazards.map((hazard) => `topic ${topic}: ${hazard}`),
      ...(altered.length > 0 ? [`topic ${topic}: ${altered.join('; ')} (penstock topics plan)`] : []),
      ...impossible.map((refusal) => `topic ${topic}: ${refusal}`),
    ];
  });
}
