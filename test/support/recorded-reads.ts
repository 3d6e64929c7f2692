/** Proxy that adds the path of each property read to `reads`: `limits.record_bytes`. Lists count as a whole. */
export function recorded<T>(value: T, reads: Set<string>, path: readonly string[] = []): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return new Proxy(value, {
    get(target, key, receiver) {
      const found: unknown = Reflect.get(target, key, receiver);
      if (typeof key !== 'string') return found;
      const at = [...path, key];
      reads.add(at.join('.'));
      return recorded(found, reads, at);
    },
  });
}
