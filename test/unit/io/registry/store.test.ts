import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SchemaId, WriterSchema } from '../../../../src/core/decode/schema/writer-schema.ts';
import { PoisonError, RetryableError } from '../../../../src/core/model/errors.ts';
import { SchemaStore } from '../../../../src/io/registry/store.ts';

const SCHEMA: WriterSchema = { read: () => 1 };
const unknown = () => new PoisonError('decode', 'schema_id', 'no such schema');

/** A store over a registry that knows the ids in `known`; `asked` has what it was asked for. */
function storeOver(known: Set<SchemaId>) {
  const state = { asked: [] as SchemaId[], away: false, now: 0 };
  const store = new SchemaStore(
    async (id) => {
      state.asked.push(id);
      await null;
      if (state.away) throw new RetryableError('away');
      if (!known.has(id)) throw unknown();
      return SCHEMA;
    },
    { missingTtlMs: 1000, now: () => state.now },
  );
  return { store, state };
}

test('a schema is fetched once, also by several at a time', async () => {
  const { store, state } = storeOver(new Set([1, 2]));
  await Promise.all([store.ensure([1, 2]), store.ensure([2, 1])]);
  await store.ensure([1]);
  assert.deepEqual(state.asked.sort(), [1, 2]);
  assert.equal(store.schema(1), SCHEMA);
});

test('an id that does not exist is poison, and asked for again after a while', async () => {
  const known = new Set<SchemaId>();
  const { store, state } = storeOver(known);
  await store.ensure([5]);
  assert.throws(() => store.schema(5), unknown());
  state.now = 999;
  await store.ensure([5]);
  assert.deepEqual(state.asked, [5]);
  known.add(5);
  state.now = 1000;
  await store.ensure([5]);
  assert.equal(store.schema(5), SCHEMA);
});

test('a registry that is away is no verdict on an id', async () => {
  const { store, state } = storeOver(new Set([1, 2]));
  await store.ensure([1]);
  state.away = true;
  await assert.rejects(store.ensure([1, 2]), RetryableError);
  await store.ensure([1]);
  assert.throws(() => store.schema(2), RetryableError);
  state.away = false;
  await store.ensure([2]);
  assert.equal(store.schema(2), SCHEMA);
});

test('a number that can be no id is poison without a question', async () => {
  const { store, state } = storeOver(new Set());
  await store.ensure([0xffffffff]);
  assert.throws(() => store.schema(0xffffffff), PoisonError);
  assert.deepEqual(state.asked, []);
});

test('of a flood of ids that do not exist only so many are asked for, none holds up a step, and it ends', async () => {
  const known = new Set<SchemaId>([1, 50_000]);
  const { store, state } = storeOver(known);
  await store.ensure([1, ...Array.from({ length: 50_000 }, (_, at) => at + 2)]);
  assert.ok(state.asked.length < 10_100, `${state.asked.length}`);
  assert.equal(store.schema(1), SCHEMA);
  for (const id of [2, 9_999, 20_000, 50_000]) assert.throws(() => store.schema(id), PoisonError, `${id}`);
  assert.throws(() => store.schema(50_000), /was not asked for/);
  state.now = 60_000;
  await store.ensure([50_000]);
  assert.equal(store.schema(50_000), SCHEMA);
});

test('0 is no id, and the message says whose records begin so', async () => {
  const { store, state } = storeOver(new Set());
  await store.ensure([0]);
  assert.throws(() => store.schema(0), /Apicurio/);
  assert.deepEqual(state.asked, []);
});

test('a defect is not taken for an answer', async () => {
  const store = new SchemaStore(() => Promise.reject(new TypeError('defect')), { missingTtlMs: 1 });
  await assert.rejects(store.ensure([1]), TypeError);
});
