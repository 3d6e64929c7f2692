import { MOMENTS, REQUESTS, type Step } from '../../support/transaction-requests.ts';

/** Every place in a transaction at which a coordinator can die. */
export const STEPS: readonly Step[] = REQUESTS.flatMap((request) =>
  MOMENTS.map((moment) => ({ request, moment })),
);

/** By partition, the step at which it is held for kill number `kill`: all of them at once, each time others. */
export function stepsOf(kill: number): ReadonlyMap<number, Step> {
  return new Map(STEPS.map((_, partition) => [partition, STEPS[(partition + kill) % STEPS.length]!]));
}

/** Whether the request is only made when a session begins. */
export function isOpening({ request }: Step): boolean {
  return request === 'initProducerId' || request === 'offsetFetch';
}
