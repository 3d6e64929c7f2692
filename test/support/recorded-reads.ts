/** The same value, but `reads` gets the path of everything that is read of it: `limits.record_bytes`. Lists are read as a whole. */
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
