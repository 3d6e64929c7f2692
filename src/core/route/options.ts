import * as z from 'zod';
import { TASK_HASHES } from '../hash/task.ts';
import { METRIC_NAME } from '../model/labels.ts';
import { httpUrl, remoteWriteUrl } from '../options/address.ts';
import { allowInsecure, isUnencrypted, unencrypted } from '../options/insecure.ts';
import { refuseHalfPair, tlsKeys } from '../options/tls.ts';
import { filePath, secret, shown, topicName } from '../options/types.ts';

const taskOptions = z
  .strictObject({
    labels: z
      .array(z.string().min(1))
      .min(1, 'the list is empty; expected at least one group label')
      .describe('Group labels: those that aggregation keeps (by). Series of one group go to one task.'),
    count: z
      .int()
      .min(1)
      .max(100_000)
      .describe(
        'Number of tasks. Growing it moves groups, so choose several times the nodes you will ever have.',
      ),
    spread: z
      .int()
      .min(1)
      .default(1)
      .describe(
        'Neighbouring tasks that one group may use; more than 1 only for groups too hot for one node.',
      ),
    hash: z
      .enum(TASK_HASHES)
      .default('jump')
      .describe(
        'How a group becomes a task; the stream-metrics-route ones repeat the numbers of that gateway.',
      ),
    label: z
      .string()
      .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, {
        error: (issue) =>
          `${shown(issue.input)} is no label name; expected letters, digits and _, no digit first`,
      })
      .default('stream_task_id')
      .describe('Label that carries the task id; the aggregation must keep it too.'),
  })
  .superRefine((task, context) => {
    const refuse = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    if (task.count >= 1 && task.spread > task.count) {
      refuse(
        ['spread'],
        `${task.spread} is more than there are tasks; expected at most count (${task.count})`,
      );
    }
    for (const [at, name] of task.labels.entries()) {
      if (task.labels.indexOf(name) < at) {
        refuse(['labels', at], `${shown(name)} is in the list already; expected each label once`);
      }
      if (name === task.label) {
        refuse(
          ['labels', at],
          `${shown(name)} is the label that carries the result; expected other labels here`,
        );
      }
    }
    if (task.label === METRIC_NAME) {
      refuse(['label'], `${METRIC_NAME} is the metric's name; expected a label of its own for the task id`);
    }
  });

/**
 * One route: which series, how relabeled, which group labels, which topic. In the output `relabel` has the
 * rules as `compileRelabel` takes them; those of a relabel_file are put there by the loader.
 */
export const routeOptions = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9._-]+$/, {
        error: (issue) =>
          `${shown(issue.input)} is no route name; expected a-z 0-9 . _ - (it becomes part of topic names)`,
      })
      .describe('Name of the route, in metrics, logs and the default topic.'),
    match: z
      .array(z.string())
      .default([])
      .describe(
        'Series selectors on the series as received; any of them lets it in. Absent or empty: every series.',
      ),
    dialect: z
      .enum(['victoriametrics', 'prometheus'])
      .default('victoriametrics')
      .describe('Whose relabeling the rules are written for.'),
    relabel: z
      .array(z.record(z.string(), z.unknown()))
      .optional()
      .describe(
        'Relabeling rules, run in order. A rule that drops the series drops it from this route alone.',
      ),
    relabel_file: z
      .string()
      .min(1)
      .optional()
      .describe('YAML file with the list of rules, instead of relabel; relative to this file.'),
    task: taskOptions.describe('How series become tasks, after relabeling.'),
    topic: topicName().optional().describe('Task topic; absent: metrics.tasks.<name>.'),
    partitions: z
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .describe(
        'Partitions of the task topic; absent: task.count. More leaves room for a later, larger count.',
      ),
  })
  .superRefine((route, context) => {
    if (route.relabel !== undefined && route.relabel_file !== undefined) {
      const message = 'relabel is given too; expected one of relabel and relabel_file';
      context.addIssue({ code: 'custom', path: ['relabel_file'], message });
    }
    if (route.partitions !== undefined && route.task.count > route.partitions) {
      context.addIssue({
        code: 'custom',
        path: ['task', 'count'],
        message: `${route.task.count} tasks do not fit ${route.partitions} partitions; expected at most partitions, since a task is a partition`,
      });
    }
  })
  .transform(({ relabel = [], topic, partitions, ...route }) => ({
    ...route,
    relabel: relabel as readonly unknown[],
    topic: topic ?? `metrics.tasks.${route.name}`,
    partitions: partitions ?? route.task.count,
  }));

/** Characters that no token in a header has. The node checks it: `isSecret` would not know a refined `secret()`. */
const NOT_IN_A_HEADER = /[^\u0021-\u007e]/;

const basicAuth = z
  .strictObject({
    username: z
      .string()
      .regex(/^[^:\p{Cc}]+$/u, {
        error: 'the user name has a colon or control characters; expected it without (RFC 7617)',
      })
      .describe('User name.'),
    password: secret().optional().describe('Password; better password_file.'),
    password_file: filePath().optional().describe('File with the password; read again when it changes.'),
  })
  .superRefine(({ password, password_file }, context) => {
    if ((password === undefined) !== (password_file === undefined)) return;
    const message =
      password === undefined
        ? 'missing; expected a value, or password_file'
        : 'password_file is given too; expected one of the two';
    context.addIssue({ code: 'custom', path: ['password'], message });
  });

const nodeTls = z
  .strictObject(tlsKeys({ whose: "the node's", hostName: "the URL's host" }))
  .superRefine((options, context) =>
    refuseHalfPair(options, (key, message) => context.addIssue({ code: 'custom', path: [key], message })),
  );

/** One vmagent. `url` is complete in the output: a URL without a path gets remote write's. */
export const nodeOptions = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9._:-]+$/, {
        error: (issue) => `${shown(issue.input)} is no node name; expected a-z A-Z 0-9 . _ : -`,
      })
      .describe(
        "Name of the node. Without a number it decides the node's tasks. Keep it when the address changes.",
      ),
    number: z
      .int()
      .min(0)
      .max(999)
      .optional()
      .describe(
        'Its number among the nodes, from 0, for names that have none: instead of the one in the name it decides the tasks. All nodes have one, or none does; a new node gets the next.',
      ),
    url: httpUrl('basic_auth')
      .transform(remoteWriteUrl)
      .describe('Where to send remote write; without a path /api/v1/write is meant.'),
    basic_auth: basicAuth.optional().describe('Log in with a user name and a password.'),
    bearer_token: secret().optional().describe('Log in with this token; better bearer_token_file.'),
    bearer_token_file: filePath()
      .optional()
      .describe('Log in with the token in this file; read again when it changes.'),
    allow_insecure: allowInsecure('password and token'),
    tls: nodeTls.optional().describe('Certificates, for an https:// URL.'),
  })
  .superRefine((node, context) => {
    const logins = (['basic_auth', 'bearer_token', 'bearer_token_file'] as const).filter(
      (key) => node[key] !== undefined,
    );
    for (const key of logins.slice(1)) {
      const message = `${logins[0]} is given too; expected one way to log in`;
      context.addIssue({ code: 'custom', path: [key], message });
    }
    if (node.bearer_token !== undefined && NOT_IN_A_HEADER.test(node.bearer_token)) {
      const message =
        'the given value has blanks or other characters that no token has; expected the token alone';
      context.addIssue({ code: 'custom', path: ['bearer_token'], message });
    }
    const [login] = logins;
    if (login !== undefined && isUnencrypted(node.url) && !node.allow_insecure) {
      const what = login === 'basic_auth' ? 'the password' : 'the token';
      context.addIssue({ code: 'custom', path: ['url'], message: unencrypted(what) });
    }
    if (node.tls !== undefined && node.url.startsWith('http:')) {
      const message = 'the URL is http://; expected https://, or this section left out';
      context.addIssue({ code: 'custom', path: ['tls'], message });
    }
  });

export type RouteOptions = z.output<typeof routeOptions>;
export type NodeOptions = z.output<typeof nodeOptions>;
