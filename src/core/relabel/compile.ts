import type { Label, Labels } from '../model/labels.ts';
import type { Action, Engine } from './action.ts';
import { checkRule } from './checks.ts';
import { explainRules, type RelabelStep } from './explain.ts';
import { compilePrometheus, prometheusEngine } from './prometheus.ts';
import { type Dialect, type Rule, readRule } from './rule.ts';
import { compileVictoriaMetrics, victoriaMetricsEngine } from './victoriametrics.ts';

export type { RelabelStep } from './explain.ts';
export { type Dialect, RuleError } from './rule.ts';

/** Compiled relabel rules. Cached answers for earlier series make them faster, and never change a result. */
export interface Relabeler {
  /**
   * The labels after all rules and the engine's final step; undefined when the series is dropped or no
   * label is left. The input is not changed, and an empty list of rules changes nothing.
   *
   * @param between called before each rule, to limit the time of expensive series: if it throws, the rules end
   */
  apply(labels: Labels, between?: () => void): Label[] | undefined;
  /** Effect of each rule, up to the one that drops the series, and of the final step if it has one. */
  explain(labels: Labels): RelabelStep[];
}

/** A rule and its compiled action. */
export interface CompiledRule {
  readonly rule: Rule;
  readonly action: Action;
}

const DIALECTS: Readonly<Record<Dialect, { engine: Engine; compile: (rule: Rule) => Action }>> = {
  victoriametrics: { engine: victoriaMetricsEngine, compile: compileVictoriaMetrics },
  prometheus: { engine: prometheusEngine, compile: compilePrometheus },
};

/**
 * Compiles rules for one engine's dialect.
 *
 * @param rules parsed YAML 1.1 mappings. `parseRules` keeps the spelling of scalars, which engines see; values of any
 *   other YAML reader work too, except that `True` and `1.50` are then read as `true` and `1.5`.
 * @throws RuleError for the first rule that the engine would refuse.
 */
export function compileRelabel(rules: readonly unknown[], dialect: Dialect): Relabeler {
  const { engine, compile } = DIALECTS[dialect];
  const compiled = rules.map((raw, index): CompiledRule => {
    const rule = readRule(raw, index, dialect);
    checkRule(rule, dialect);
    return { rule, action: compile(rule) };
  });
  return {
    apply: applierOf(compiled, engine),
    explain: (labels) => explainRules(compiled, engine, labels),
  };
}

function applierOf(compiled: readonly CompiledRule[], engine: Engine): Relabeler['apply'] {
  const actions = compiled.map(({ action }) => action);
  if (actions.length === 0 && engine.stopsWhenEmpty) {
    return (labels) => (labels.length === 0 ? undefined : labels.slice());
  }
  return (labels, between) => {
    const work = engine.start(labels);
    for (const action of actions) {
      between?.();
      if (!action(work) || (engine.stopsWhenEmpty && work.length === 0)) return undefined;
    }
    const finished = engine.finish(work);
    return finished.length === 0 ? undefined : finished;
  };
}
