// Shared by the programs in Node: the work and how it is submitted. See ../README.md.
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';

export const load = createRequire(`${process.env.PEERS_INSTALLED}/package.json`);
export const [, , mode, ...numbers] = process.argv.map((word, n) => (n < 3 ? word : +word));

const IN_FLIGHT = 32;
const BATCH = 1000;
const PACE_MS = 5;

// About 200 bytes of JSON. `t` is the moment of the call of submit, or 0.
const pad = 'x'.repeat(130);
export const payload = t => ({ t, user: 123456, kind: 'noop', tags: ['a', 'b'], pad });
const now = () => Number(process.hrtime.bigint() / 1000n); // CLOCK_MONOTONIC, which all processes share

// What every handler does: nothing, or note how long ago its task was submitted.
export const handle = data => {
  if (data.t) appendFileSync(process.env.LATENCY_FILE, `${now() - data.t}\n`);
};

// `one(payload)` and `bulk(payloads)` submit. Prints tasks per second.
export async function submit(one, bulk) {
  const [count] = numbers;
  const began = performance.now();
  if (mode === 'paced') return paced(count, one);
  if (mode === 'one') {
    let left = count;
    const submitter = async () => { while (left-- > 0) await one(payload(0)); };
    await Promise.all(Array.from({ length: IN_FLIGHT }, submitter));
  } else {
    for (let left = count; left > 0; left -= BATCH) {
      await bulk(Array.from({ length: Math.min(BATCH, left) }, () => payload(0)));
    }
  }
  console.log((count / (performance.now() - began)) * 1000);
}

// One task each 5 ms; a slow submission does not delay the next.
async function paced(count, one) {
  const began = performance.now();
  const pending = [];
  for (let i = 0; i < count; i++) {
    const early = began + i * PACE_MS - performance.now();
    if (early > 0) await new Promise(done => setTimeout(done, early));
    pending.push(one(payload(now())));
  }
  await Promise.all(pending);
}
