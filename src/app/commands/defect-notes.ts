import { type DefectPlace, Stacks } from '../../io/telemetry/defects.ts';

/**
 * Tells of records that are left out because Penstock has a defect: each stack once. How many there are is part of what
 * the command counts.
 */
export function defectNotes(say: (message: string) => void) {
  const stacks = new Stacks();
  return ({ topic, partition, offset }: DefectPlace, error: Error): void => {
    const stack = stacks.unknown(error);
    if (stack === undefined) return;
    say(
      `${topic} ${partition}:${offset} leads to a defect of Penstock, and is left out; others like it are counted ` +
        `(defect). Please report it with this stack: ${stack}`,
    );
  };
}
