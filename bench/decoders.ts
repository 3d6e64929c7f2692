/**
 * `node bench/decoders.ts [--json] [--only TEXT] [--seconds N]`: CPU time of the decoders alone, without Kafka, in µs
 * per sample; with decompression if the line says so. Each is run until it is warm; the figure is the best of several
 * rounds, since other load only makes it worse.
 */
import { parseArgs } from 'node:util';
import { DEFAULT_LIMITS } from '../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../src/core/decode/registry.ts';
import { binaryBodies } from './binary-bodies.ts';
import { documentedSchemas, mappedBodies } from './mapped-bodies.ts';
import { type EncodedBody, textBodies } from './text-bodies.ts';

const { values: args } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '1' },
  },
});

const ROUNDS = 5;

interface Result {
  readonly encoding: string;
  readonly cpuMicrosPerSample: number;
  readonly bytesPerSample: number;
}

const schemas = await documentedSchemas();

function decoderOf({ encoding, headers }: EncodedBody): Pick<DecoderRegistry, 'decode'> {
  const decoders = createDecoders({ schemas });
  if (headers !== undefined) return new DecoderRegistry('auto', decoders);
  const name = encoding.split(',')[0];
  const decoder = decoders.find((each) => each.name === name);
  if (decoder === undefined) throw new Error(`no decoder ${encoding}`);
  return decoder;
}

function measure(measured: EncodedBody): Result {
  const { encoding, body, samples, headers = {} } = measured;
  const decoder = decoderOf(measured);
  const context = { headers, timestamp: 1_760_000_000_000, limits: DEFAULT_LIMITS };
  const { rejects } = decoder.decode(body, context);
  if (rejects.length > 0) throw new Error(`${encoding}: ${rejects[0]?.message}`);
  const micros = (Number(args.seconds) * 1e6) / ROUNDS;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    let spent = 0;
    let decoded = 0;
    while (spent < micros) {
      decoder.decode(body, context);
      decoded += samples;
      const { user, system } = process.cpuUsage(before);
      spent = user + system;
    }
    best = Math.min(best, spent / decoded);
  }
  return { encoding, cpuMicrosPerSample: best, bytesPerSample: body.length / samples };
}

const results = [...textBodies(), ...binaryBodies(), ...(await mappedBodies())]
  .filter(({ encoding }) => encoding.includes(args.only))
  .map(measure);
if (args.json) {
  process.stdout.write(`${JSON.stringify({ results }, null, 2)}\n`);
} else {
  const width = Math.max(...results.map(({ encoding }) => encoding.length));
  for (const { encoding, cpuMicrosPerSample, bytesPerSample } of results) {
    process.stdout.write(
      `${encoding.padEnd(width)}  ${cpuMicrosPerSample.toFixed(3)} µs a sample, ${bytesPerSample.toFixed(0)} bytes\n`,
    );
  }
}
