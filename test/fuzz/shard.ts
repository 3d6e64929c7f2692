/** One process of `npm run fuzz`: `shard.ts SEED FIRST END STEP PLACE`. Prints its summary as JSON when it is done. */
import { openSync, writeSync } from 'node:fs';
import { RecordRun } from './record-run.ts';

const [seed = 0, first = 0, end = 0, step = 1] = process.argv.slice(2).map(Number);
const place = openSync(process.argv[6]!, 'w');
const at = Buffer.alloc(8);

const run = new RecordRun(seed);
for (let index = first; index < end && !run.isOver; index += step) {
  // Where it was, for whoever finds this process dead or hanging.
  at.writeDoubleLE(index);
  writeSync(place, at, 0, 8, 0);
  run.input(index);
}
process.stdout.write(`${JSON.stringify(run.finish())}\n`);
