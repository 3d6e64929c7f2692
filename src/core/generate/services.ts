/** One HTTP endpoint of a service. */
export interface Endpoint {
  readonly method: string;
  readonly route: string;
  /** Requests per second and pod. */
  readonly rate: number;
  /** Median duration in seconds. */
  readonly median: number;
}

/** A business counter: one series for each value of a label. */
export interface BusinessCounter {
  readonly name: string;
  readonly label: string;
  readonly values: readonly string[];
  /** Events per second and pod, over all values. */
  readonly rate: number;
}

/** A made-up service of a web shop. */
export interface GeneratedService {
  readonly name: string;
  readonly namespace: string;
  readonly team: string;
  /** Number of pods relative to a service with weight 1. */
  readonly weight: number;
  readonly endpoints: readonly Endpoint[];
  readonly business?: BusinessCounter;
  /** Name of the queue that it consumes. */
  readonly queue?: string;
}

function service(
  name: string,
  team: string,
  weight: number,
  endpoints: readonly Endpoint[],
  more = {},
): GeneratedService {
  return { name, namespace: team === 'money' ? 'billing' : 'shop', team, weight, endpoints, ...more };
}

function endpoint(call: string, rate: number, median: number): Endpoint {
  const [method, route] = call.split(' ') as [string, string];
  return { method, route, rate, median };
}

/** The services that pods are made of, in two namespaces. */
export const SERVICES: readonly GeneratedService[] = [
  service('storefront', 'web', 4, [
    endpoint('GET /', 40, 0.06),
    endpoint('GET /category/:id', 25, 0.09),
    endpoint('GET /product/:id', 50, 0.07),
    endpoint('GET /help', 1, 0.02),
  ]),
  service('search', 'web', 3, [
    endpoint('GET /search', 30, 0.12),
    endpoint('GET /suggest', 90, 0.015),
    endpoint('POST /reindex', 0.1, 2),
  ]),
  service('catalog', 'web', 3, [
    endpoint('GET /products/:id', 80, 0.01),
    endpoint('GET /prices', 60, 0.012),
    endpoint('PUT /products/:id', 0.5, 0.1),
  ]),
  service(
    'cart',
    'purchase',
    3,
    [
      endpoint('GET /cart', 35, 0.008),
      endpoint('POST /cart/items', 8, 0.02),
      endpoint('DELETE /cart/items/:id', 2, 0.02),
      endpoint('POST /cart/coupon', 0.6, 0.05),
    ],
    {
      business: {
        name: 'cart_items_added_total',
        label: 'channel',
        values: ['web', 'app', 'partner'],
        rate: 8,
      },
    },
  ),
  service(
    'checkout',
    'purchase',
    2,
    [
      endpoint('POST /checkout', 3, 0.35),
      endpoint('GET /checkout/:id', 9, 0.03),
      endpoint('POST /checkout/:id/confirm', 2, 0.6),
    ],
    {
      business: { name: 'orders_placed_total', label: 'channel', values: ['web', 'app', 'partner'], rate: 2 },
    },
  ),
  service(
    'shipping',
    'purchase',
    1,
    [endpoint('POST /labels', 2, 0.4), endpoint('GET /tracking/:id', 12, 0.04)],
    { queue: 'parcels' },
  ),
  service(
    'payments',
    'money',
    2,
    [
      endpoint('POST /authorize', 3, 0.45),
      endpoint('POST /capture', 2, 0.3),
      endpoint('POST /webhooks/:provider', 4, 0.03),
    ],
    {
      business: {
        name: 'payments_total',
        label: 'instrument',
        values: ['card', 'invoice', 'wallet'],
        rate: 3,
      },
    },
  ),
  service('fraud', 'money', 1, [endpoint('POST /score', 6, 0.15), endpoint('POST /feedback', 0.3, 0.05)]),
  service(
    'invoices',
    'money',
    1,
    [endpoint('POST /invoices', 2, 0.25), endpoint('GET /invoices/:id', 5, 0.05)],
    { queue: 'documents' },
  ),
  service(
    'refunds',
    'money',
    1,
    [endpoint('POST /refunds', 0.4, 0.3), endpoint('GET /refunds/:id', 1, 0.03)],
    {
      queue: 'refunds',
      business: {
        name: 'refunds_total',
        label: 'reason',
        values: ['damaged', 'returned', 'late'],
        rate: 0.4,
      },
    },
  ),
];
