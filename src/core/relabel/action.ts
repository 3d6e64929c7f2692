import { type Label, type Labels, labelValue } from '../model/labels.ts';

/**
 * One compiled rule: changes `labels` in place and returns whether the series is kept.
 * A label is replaced by a new object, never written to: the caller may still hold it.
 */
export type Action = (labels: Label[]) => boolean;

/** An engine's work before and after the rules. */
export interface Engine {
  /** The working list for the rules; the input stays as it is. */
  start(labels: Labels): Label[];
  /** The labels as the engine hands them on after the last rule. */
  finish(labels: readonly Label[]): Label[];
  /** Description of `finish`, for explain. */
  readonly finishText: string;
  /** Whether a series without labels skips the rules that are left. */
  readonly stopsWhenEmpty: boolean;
}

/** Values of the labels `names`, absent ones empty, joined with `separator`. */
export function joinValues(labels: Labels, names: readonly string[], separator: string): string {
  if (names.length === 0) return '';
  let joined = labelValue(labels, names[0]!);
  for (let index = 1; index < names.length; index++) joined += separator + labelValue(labels, names[index]!);
  return joined;
}

/** Position of the first label called `name`, or -1. */
export function indexOfName(labels: Labels, name: string): number {
  for (let index = 0; index < labels.length; index++) if (labels[index]!.name === name) return index;
  return -1;
}

/** Sets the first label called `name` where it stands, or adds one at the end. */
export function setLabel(labels: Label[], name: string, value: string): void {
  const index = indexOfName(labels, name);
  if (index < 0) labels.push({ name, value });
  else labels[index] = { name, value };
}

/** Removes the labels that `keep` refuses, in place. */
export function retain(labels: Label[], keep: (label: Label) => boolean): void {
  let kept = 0;
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index]!;
    if (keep(label)) labels[kept++] = label;
  }
  // Setting `length` is a call into V8's runtime, 0.1 µs each time.
  while (labels.length > kept) labels.pop();
}
