/**
 * Transactional id of the producer that commits a group's offsets for one partition. Unique whatever the group's name,
 * since topic names contain no slash; with equal ids two deployments would fence each other for ever.
 */
export function transactionalId(group: string, topic: string, partition: number): string {
  return `${group}/${topic}/${partition}`;
}
