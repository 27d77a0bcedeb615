// BullMQ: one N | bulk N | paced N | work CONCURRENCY
import { handle, load, mode, numbers, submit } from './common.mjs';

const { Queue, Worker } = load('bullmq');
const { hostname: host, port } = new URL(process.env.REDIS_URL);
const connection = { host, port: +port, maxRetriesPerRequest: null };
if (mode === 'work') {
  const worker = new Worker('bench', async job => handle(job.data), { connection, concurrency: numbers[0] });
  worker.on('error', error => console.error(error));
} else {
  const queue = new Queue('bench', { connection });
  await queue.waitUntilReady();
  await submit(data => queue.add('noop', data), all => queue.addBulk(all.map(data => ({ name: 'noop', data }))));
  await queue.close();
}
