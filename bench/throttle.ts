const PERIOD_MS = 20;

/**
 * Limits each process to a share of the time, the processes in turn. Returns a function that ends that.
 *
 * By signals, since control groups need privileges that a benchmark should not ask for.
 */
export function holdBack(pids: readonly number[], share: number): () => void {
  const timers = new Set<NodeJS.Timeout>();
  let ended = false;
  const after = (ms: number, next: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      next();
    }, ms);
    timers.add(timer);
  };
  const signal = (pid: number, name: 'SIGSTOP' | 'SIGCONT') => {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended.
    }
  };
  /** Period `n` of a process. Times count from the start, so that late timers do not add up. */
  const period = (pid: number, startMs: number, n: number) => {
    if (ended) return;
    signal(pid, 'SIGCONT');
    after(share * PERIOD_MS, () => signal(pid, 'SIGSTOP'));
    const at = (ms: number) => Math.max(0, startMs + ms - performance.now());
    after(at((n + 1) * PERIOD_MS), () => period(pid, startMs, n + 1));
  };
  for (const [index, pid] of pids.entries()) {
    signal(pid, 'SIGSTOP');
    const delay = (index * PERIOD_MS) / pids.length;
    after(delay, () => period(pid, performance.now(), 0));
  }
  return () => {
    ended = true;
    for (const timer of timers) clearTimeout(timer);
    for (const pid of pids) signal(pid, 'SIGCONT');
  };
}
