/** One process of `npm run fuzz`: `shard.ts SEED FIRST END STEP PLACE`. Prints its summary as JSON when it is done. */
import { openSync, writeSync } from 'node:fs';
import { RecordRun } from './record-run.ts';

const [seed = 0, first = 0, end = 0, step = 1] = process.argv.slice(2).map(Number);
const place = openSync(process.argv[6]!, 'w');
const at = Buffer.alloc(16);

/** Where it was, for whoever finds this process dead or hanging: the input, and how many readings began since. */
const run = new RecordRun(seed, () => {
  at.writeDoubleLE(at.readDoubleLE(8) + 1, 8);
  writeSync(place, at, 0, 16, 0);
});
for (let index = first; index < end && !run.isOver; index += step) {
  at.writeDoubleLE(index);
  run.input(index);
}
process.stdout.write(`${JSON.stringify(run.finish())}\n`);
