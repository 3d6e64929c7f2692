/**
 * The transactional id of who commits offsets of a group for one partition. It is one and the same for no two of them,
 * since no topic's name has a slash, however the group is called: else two deployments would fence each other for ever.
 */
export function transactionalId(group: string, topic: string, partition: number): string {
  return `${group}/${topic}/${partition}`;
}
