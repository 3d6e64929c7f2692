import type { Labels } from '../../src/core/model/labels.ts';
import { compileRelabel, type Dialect, type Relabeler } from '../../src/core/relabel/compile.ts';
import { parseRules } from '../../src/core/relabel/parse.ts';

export interface HashmodScenario {
  readonly source_labels: readonly string[];
  readonly separator: string;
}

/** The label values that action hashmod writes under one scenario, a value for each modulus of the file. */
export type HashmodCheck = (labels: Labels, scenario: number, dialect: Dialect) => (string | undefined)[];

const TARGET = 'hashmod_result';

/** hashmod through the relabel engine: the rules are compiled once for all cases. */
export function createHashmodCheck(
  scenarios: readonly HashmodScenario[],
  moduli: readonly string[],
): HashmodCheck {
  const compile = (scenario: HashmodScenario, dialect: Dialect) =>
    moduli.map((modulus) => compileRelabel(parseRules(hashmodRule(scenario, modulus)).rules, dialect));
  const relabelers: Readonly<Record<Dialect, Relabeler[][]>> = {
    prometheus: scenarios.map((scenario) => compile(scenario, 'prometheus')),
    victoriametrics: scenarios.map((scenario) => compile(scenario, 'victoriametrics')),
  };
  return (labels, scenario, dialect) =>
    relabelers[dialect][scenario]!.map(
      (relabeler) => relabeler.apply(labels)?.find((label) => label.name === TARGET)?.value,
    );
}

function hashmodRule({ source_labels, separator }: HashmodScenario, modulus: string): string {
  // JSON texts and lists are YAML too. The modulus stays as written: it may be past 2^53.
  return `
- action: hashmod
  source_labels: ${JSON.stringify(source_labels)}
  separator: ${JSON.stringify(separator)}
  modulus: ${modulus}
  target_label: ${TARGET}
`;
}
