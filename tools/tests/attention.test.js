import assert from "node:assert/strict";
import test from "node:test";
import { attention } from "../../static/js/attention.js";

const calm = () => ({
  online: true,
  stats: { status_counts: { queued: 5 }, dead_letters: 0, workers: 1 },
  health: { status: "ok", store: { kind: "sqlite", status: "ok" }, broker: { kind: "in_process", status: "ok" } },
  queues: [{ name: "a", paused: false, total_queued: 5, oldest_ready_s: 300 }],
  workers: [{ host: "h", pid: 1, state: "alive", heartbeat_age_s: 1 }],
  actors: [{ path: "root", state: "running", restarts: 9, last_panic: null }],
});
const texts = (seen) => attention(seen).map(({ text }) => text);

test("a calm server needs nothing", () => assert.deepEqual(attention(calm()), []));

test("each trouble has its notice", () => {
  const cases = [
    [(seen) => { seen.online = false; }, /doesn't answer/],
    [(seen) => { seen.health.status = "degraded"; seen.health.broker = { kind: "redis", status: "down" }; }, /degraded/],
    [(seen) => { seen.queues[0].paused = true; }, /a is paused with 5 tasks/],
    [(seen) => { seen.queues[0].unservable = 3; }, /a: no live worker can run 3 tasks/],
    [(seen) => { seen.queues[0].oldest_ready_s = 301; }, /waited 5 min 1 s/],
    [(seen) => { seen.stats.workers = 0; }, /No worker is connected and 5 tasks wait/],
    [(seen) => { seen.workers[0].state = "dead"; }, /h \(pid 1\) is lost/],
    [(seen) => { seen.actors[0].state = "restarting"; }, /root is restarting/],
    [(seen) => { seen.actors[0].state = "parked"; }, /root is parked/],
    [(seen) => { seen.stats.dead_letters = 1; }, /1 task in dead letters/],
  ];
  for (const [change, expected] of cases) {
    const seen = calm();
    change(seen);
    assert.equal(texts(seen).length, 1);
    assert.match(texts(seen)[0], expected);
  }
});

test("a paused queue without backlog is no trouble", () => {
  const seen = calm();
  Object.assign(seen.queues[0], { paused: true, total_queued: 0 });
  assert.deepEqual(texts(seen), []);
});

test("the worst comes first", () => {
  const seen = calm();
  seen.stats.dead_letters = 3;
  seen.workers[0].state = "dead";
  assert.deepEqual(attention(seen).map(({ level }) => level), ["bad", "warn"]);
});

test("nothing is claimed before anything is known", () => {
  assert.deepEqual(attention({ online: true, stats: null, health: null, queues: [], workers: [], actors: [] }), []);
});
