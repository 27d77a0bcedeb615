// pg-boss: setup | one N | bulk N | paced N | work BATCH LOOPS
import { handle, load, mode, numbers, submit } from './common.mjs';

const { PgBoss } = load('pg-boss');
const boss = new PgBoss({ connectionString: process.env.PG_URL, max: 32, useListenNotify: mode === 'work' });
boss.on('error', error => console.error(error));
await boss.start();
if (mode === 'work') {
  const [batchSize, localConcurrency] = numbers;
  const options = { batchSize, localConcurrency, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
  await boss.work('bench', options, async jobs => { for (const job of jobs) handle(job.data); });
} else {
  if (mode === 'setup') await boss.createQueue('bench', { notify: true });
  else await submit(data => boss.send('bench', data), all => boss.insert('bench', all.map(data => ({ data }))));
  await boss.stop({ graceful: false });
  process.exit(0);
}
