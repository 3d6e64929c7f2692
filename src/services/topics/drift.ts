import type { TopicPlan } from './plan.ts';

/**
 * How topics that exist differ from what is configured, one line each, where records are at stake or `topics apply` would
 * change something. Topics and partitions that are missing are left out: who asks for this sees them.
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
