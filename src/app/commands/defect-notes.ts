import { type DefectPlace, Stacks } from '../../io/telemetry/defects.ts';

/**
 * Reports records that are skipped because of a defect in Penstock, once per stack. The command's own counts say how
 * many there were.
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
