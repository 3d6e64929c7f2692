import { compareByBytes } from './hash/byte-order.ts';
import type { Label, Labels } from './model/labels.ts';
import type { EntryBuilder } from './series-entry.ts';
import { copyBytes, viewOf } from './wire/bytes.ts';
import { LabelBlock, type LabelLimits } from './wire/label-block.ts';
import { varintLength } from './wire/write-request-builder.ts';

/** A compiled route as the pipeline needs it; `CompiledRoute` of route.ts is one. */
export interface PipelineRoute {
  readonly name: string;
  /** Position in the list of routes. */
  readonly index: number;
  readonly topic: string;
  /** Any of them lets a series in, as received; none at all lets in every series. */
  readonly selectors: readonly { matches(labels: Labels): boolean }[];
  /** `undefined`, or no labels, where a rule drops the series. Must not change its argument. */
  readonly relabeler: { apply(labels: Labels): Labels | undefined };
  /** False where the relabeler has no rules: it is then not asked. */
  readonly hasRules: boolean;
  /** Labels after relabeling ▸ 0 … count-1. */
  task(labels: Labels): number;
  /** Label that carries the task. */
  readonly taskLabel: string;
  readonly count: number;
}

/**
 * The cold path: a series seen for the first time is decoded and goes through every route.
 * The result is an entry for the cache.
 */
export class SeriesRouter {
  readonly #routes: readonly PipelineRoute[];
  readonly #limits: LabelLimits;
  readonly #outputLabels: readonly OutputLabels[];
  readonly #block = new LabelBlock();
  #output = Buffer.allocUnsafeSlow(16 * 1024);
  #outputView = viewOf(this.#output);
  #length = 0;

  constructor(routes: readonly PipelineRoute[], limits: LabelLimits) {
    this.#routes = routes;
    this.#limits = limits;
    this.#outputLabels = routes.map(({ taskLabel }) => new OutputLabels(taskLabel));
  }

  /**
   * Fills `entry` from the label fields in `[start, labelsEnd)`.
   * Throws PoisonError where the labels cannot be used (see LabelBlock.decode).
   */
  route(body: Buffer, view: DataView, start: number, labelsEnd: number, entry: EntryBuilder): void {
    this.#block.decode(body, start, labelsEnd, this.#limits, view);
    const received = this.#block.labels;
    entry.begin(view, start, labelsEnd - start);
    for (const route of this.#routes) {
      if (!matchesAny(route, received)) continue;
      const relabeled = route.hasRules ? route.relabeler.apply(received) : received;
      if (relabeled === undefined || relabeled.length === 0) {
        entry.addDropped(route.index);
        continue;
      }
      const task = route.task(relabeled);
      if (!(task >= 0 && task < route.count)) {
        throw new Error(`route ${route.name}: task ${task} is outside 0 … ${route.count - 1}`);
      }
      this.#encode(this.#outputLabels[route.index]!.of(relabeled, task), view);
      entry.addTask(route.index, task, this.#output, this.#outputView, this.#length);
    }
  }

  /** Writes label fields to the output; those that came in like this, as the bytes they came in. */
  #encode(labels: Labels, view: DataView): void {
    this.#length = 0;
    const block = this.#block;
    let hint = 0;
    // Fields that stand side by side in the input as in the output are copied in one go.
    let from = 0;
    let to = 0;
    for (const label of labels) {
      const index = block.find(label, hint);
      if (index < 0) {
        this.#copy(view, from, to);
        from = to = 0;
        this.#encodeLabel(label);
        continue;
      }
      const start = block.fieldStart(index);
      if (start !== to) {
        this.#copy(view, from, to);
        from = start;
      }
      to = block.fieldEnd(index);
      hint = index + 1;
    }
    this.#copy(view, from, to);
  }

  #copy(view: DataView, from: number, to: number): void {
    this.#reserve(to - from);
    copyBytes(view, from, this.#outputView, this.#length, to - from);
    this.#length += to - from;
  }

  #encodeLabel({ name, value }: Label): void {
    const nameLength = Buffer.byteLength(name);
    const valueLength = Buffer.byteLength(value);
    const nameHead = varintLength(nameLength);
    const size = 2 + nameHead + varintLength(valueLength) + nameLength + valueLength;
    this.#reserve(size + 6);
    this.#header(0x0a, size);
    this.#header(0x0a, nameLength);
    this.#length += this.#output.write(name, this.#length, nameLength);
    this.#header(0x12, valueLength);
    this.#length += this.#output.write(value, this.#length, valueLength);
  }

  #header(tag: number, length: number): void {
    this.#output[this.#length++] = tag;
    let rest = length;
    while (rest >= 0x80) {
      this.#output[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#output[this.#length++] = rest;
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#output.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#output.length * 2));
    this.#output.copy(grown, 0, 0, this.#length);
    this.#output = grown;
    this.#outputView = viewOf(grown);
  }
}

function matchesAny(route: PipelineRoute, labels: Labels): boolean {
  if (route.selectors.length === 0) return true;
  for (const selector of route.selectors) if (selector.matches(labels)) return true;
  return false;
}

/**
 * Puts the task label in place of any of that name, and labels in byte order of their names, as remote write asks.
 *
 * Fast path: series in a row mostly have the same label names, and so the same order; it is kept from the last one.
 */
class OutputLabels {
  readonly #name: string;
  /** The label of each task, made when it is first needed. */
  readonly #taskLabels: Label[] = [];
  #names: string[] = [];
  /** Where each output label comes from: an index into the input, TASK for the task label. */
  #order: number[] = [];

  constructor(taskLabel: string) {
    this.#name = taskLabel;
  }

  of(labels: Labels, task: number): Labels {
    if (!this.#sameNames(labels)) {
      this.#names = labels.map(({ name }) => name);
      this.#order = outputOrder(this.#names, this.#name);
    }
    const added = (this.#taskLabels[task] ??= { name: this.#name, value: String(task) });
    return this.#order.map((index) => (index === TASK ? added : labels[index]!));
  }

  #sameNames(labels: Labels): boolean {
    const names = this.#names;
    if (labels.length !== names.length) return false;
    for (let i = 0; i < names.length; i++) if (labels[i]!.name !== names[i]) return false;
    return true;
  }
}

const TASK = -1;

function outputOrder(names: readonly string[], taskLabel: string): number[] {
  const order = [TASK];
  names.forEach((name, index) => {
    if (name !== taskLabel) order.push(index);
  });
  const nameOf = (index: number) => (index === TASK ? taskLabel : names[index]!);
  return order.sort((a, b) => compareByBytes(nameOf(a), nameOf(b)));
}
