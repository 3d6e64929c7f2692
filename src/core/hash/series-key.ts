import { type Label, type Labels, labelValue } from '../model/labels.ts';
import { compareByBytes } from './byte-order.ts';

/** Ends each part of a key. 0xFF occurs in no UTF-8 text, so two label sets never share a key. */
const SEPARATOR = 0xff;

const encoder = new TextEncoder();

/**
 * Hash input of a series or group: name 0xFF value 0xFF per label, labels sorted by the bytes of the name
 * (docs/concepts/hashing.md). An instance is meant for reuse; its buffer only grows.
 */
export class SeriesKey {
  /** Holds the key in `[0, length)`. Replaced when it grows: do not keep it across writes. */
  bytes: Uint8Array = new Uint8Array(256);
  /** Bytes of the key written last. */
  length = 0;

  /** The key of all labels as they are given, those with empty values included. */
  writeSeries(labels: Labels): void {
    this.length = 0;
    for (const label of sortedByName(labels)) {
      this.part(label.name);
      this.part(label.value);
    }
  }

  /** The key of the series' identity: a label with an empty value counts as absent. */
  writeIdentity(labels: Labels): void {
    this.length = 0;
    for (const label of sortedByName(labels)) {
      if (label.value === '') continue;
      this.part(label.name);
      this.part(label.value);
    }
  }

  /**
   * The key of the labels named by `names`, which are in byte order already (`groupLabelNames`).
   * An absent label counts as one with an empty value.
   */
  writeGroup(names: readonly string[], labels: Labels): void {
    this.length = 0;
    for (const name of names) {
      this.part(name);
      this.part(labelValue(labels, name));
    }
  }

  /** Two texts, 0xFF behind each. */
  writePair(first: string, second: string): void {
    this.length = 0;
    this.part(first);
    this.part(second);
  }

  /** One more text behind those written last, and 0xFF. */
  add(text: string): void {
    this.part(text);
  }

  /** Texts one after the other, with nothing between them. */
  writeTexts(texts: readonly string[]): void {
    this.length = 0;
    for (const text of texts) this.text(text);
  }

  private text(text: string): void {
    // 3 bytes a UTF-16 unit at most, and one for the separator behind it.
    const needed = this.length + text.length * 3 + 1;
    if (needed > this.bytes.length) this.grow(needed);
    // A loop beats encodeInto's call for short ASCII, which nearly every name and value is.
    const bytes = this.bytes;
    let length = this.length;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit > 0x7f) {
        this.length = length + encoder.encodeInto(text.slice(at), bytes.subarray(length)).written;
        return;
      }
      bytes[length++] = unit;
    }
    this.length = length;
  }

  private part(text: string): void {
    this.text(text);
    this.bytes[this.length++] = SEPARATOR;
  }

  private grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes);
    this.bytes = grown;
  }
}

/** Group label names as `writeGroup` takes them: each once, in byte order. */
export function groupLabelNames(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort(compareByBytes);
}

/** The labels in byte order of their names; the same array if they are in that order, as remote write asks. */
function sortedByName(labels: Labels): Labels {
  for (let at = 1; at < labels.length; at++) {
    if (compareByBytes(labels[at - 1]!.name, labels[at]!.name) > 0) return labels.toSorted(byName);
  }
  return labels;
}

function byName(a: Label, b: Label): number {
  return compareByBytes(a.name, b.name);
}
