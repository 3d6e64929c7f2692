import type { Running } from '../lab/deployment/deployment.ts';

/** Reloads a process, as an operator on its machine does. */
export async function reload({ admin }: Running): Promise<{ status: number; text: string }> {
  const headers = { 'x-penstock-reload': '1' };
  const response = await fetch(`${admin}/-/reload`, { method: 'POST', headers });
  return { status: response.status, text: await response.text() };
}

/** Value of a series on /metrics; undefined if absent. */
export async function metricOf({ admin }: Running, series: string): Promise<number | undefined> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}
