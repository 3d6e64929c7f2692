#!/usr/bin/env -S node --max-semi-space-size=16 --initial-heap-size=128
// Without the first flag V8 takes up to 128 MiB for young objects, of which a process needs a tenth; without the second it
// collects again and again while buffers grow (docs/internals/measurements.md). An old Node reads this file, and no further.
import './needs-node.cjs';

await import('../dist/cli.js');
