/**
 * Load for a core and its caches, in a process of its own. Talks to its parent over IPC: `{ ms }` ▸ rounds per second.
 */
const values = new Float64Array(2 ** 21);

function round(from: number): void {
  for (let at = 0; at < 200_000; at += 1) {
    const place = (Math.imul(at, 0x9e3779b1) + from) >>> 11;
    values[place]! += values[(place * 7) & (values.length - 1)]! + at;
  }
}

process.on('message', ({ ms }: { ms: number }) => {
  const started = performance.now();
  let rounds = 0;
  while (performance.now() - started < ms) round(rounds++);
  process.send?.((rounds / (performance.now() - started)) * 1000);
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
