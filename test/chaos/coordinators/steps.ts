import { MOMENTS, REQUESTS, type Step } from '../../support/transaction-requests.ts';

/** Every point of a transaction at which a coordinator can die. */
export const STEPS: readonly Step[] = REQUESTS.flatMap((request) =>
  MOMENTS.map((moment) => ({ request, moment })),
);

/** The step of each partition at kill number `kill`: all steps at once, rotated from kill to kill. */
export function stepsOf(kill: number): ReadonlyMap<number, Step> {
  return new Map(STEPS.map((_, partition) => [partition, STEPS[(partition + kill) % STEPS.length]!]));
}

/** Whether the request is made only at the start of a session. */
export function isOpening({ request }: Step): boolean {
  return request === 'initProducerId' || request === 'offsetFetch';
}
