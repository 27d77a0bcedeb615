// Fills a server with something to show: node tools/demo/seed.mjs ADDRESS
const [address] = process.argv.slice(2);

async function call(method, path, body) {
  const response = await fetch(`${address}/api/v1${path}`, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}

const many = (n, task) => Array.from({ length: n }, (_, index) => (typeof task === "function" ? task(index) : task));
async function submit(tasks) {
  for (let at = 0; at < tasks.length; at += 500) await call("POST", "/tasks/batch", { tasks: tasks.slice(at, at + 500) });
}

const user = (index) => `user-${4000 + index * 7}@example.org`;
await submit([
  ...many(260, (index) => ({ name: "mail.welcome", queue: "mail", args: [user(index)], tags: ["onboarding"], priority: index % 9 ? "medium" : "high" })),
  ...many(140, (index) => ({ name: "search.index", queue: "search", args: [index], priority: "low" })),
  ...many(60, (index) => ({ name: "image.resize", queue: "media", kwargs: { file: `photo-${index}.jpg`, width: 1280 }, tags: ["gallery"] })),
  ...many(23, (index) => ({ name: "payments.capture", queue: "payments", args: [`order-${index}`, "fail"], priority: "high", tags: ["eu"] })),
  ...many(12, (index) => ({ name: "mail.welcome", queue: "mail", args: [user(index), "fail"], retry: { strategy: "fixed", initial: "1s" } })),
  ...many(7, (index) => ({ name: "image.resize", queue: "media", args: [`scan-${index}.tif`, "fail"] })),
  ...many(9, (index) => ({ name: "mail.digest", queue: "mail", args: [user(index), "fail"], max_retries: 5, retry: { strategy: "exponential", initial: "40s" } })),
  ...many(40, (index) => ({ name: "mail.digest", queue: "mail", args: [user(index)], delay: `${10 + index * 3}m`, tags: ["digest"] })),
  ...many(3, (index) => ({ name: "report.build", queue: "reports", args: [`2026-1${index}`, "slow"], timeout: "20m", tags: ["month-end"] })),
]);
const schedules = {
  "nightly-report": { cron: "30 2 * * *", timezone: "Europe/Berlin", task: { name: "report.build", queue: "reports", tags: ["nightly"] }, catch_up: "one", overlap: "skip" },
  "digest-weekdays": { cron: "0 8 * * MON-FRI", timezone: "America/New_York", task: { name: "mail.digest", queue: "mail" } },
  "reindex": { every: "5s", task: { name: "search.index", queue: "search", priority: "low" } },
  "thumbnail-sweep": { cron: "*/10 * * * *", task: { name: "image.resize", queue: "media" }, jitter: "30s" },
  "month-end": { cron: "0 6 L * *", timezone: "Europe/Berlin", task: { name: "report.build", queue: "reports" }, enabled: false },
};
for (const [name, schedule] of Object.entries(schedules)) await call("PUT", `/schedules/${name}`, schedule);

const etl = (fail) => ({
  name: "etl.daily", tags: ["etl"],
  tasks: {
    extract: { name: "search.index", queue: "search" },
    ...Object.fromEntries(many(4, (index) => [`transform-${index + 1}`, { name: "image.resize", queue: "media", depends_on: ["extract"], args: fail && index === 2 ? ["fail"] : [index] }])),
    load: { name: "search.index", queue: "search", depends_on: [1, 2, 3, 4].map((n) => `transform-${n}`) },
    verify: { name: "mail.digest", queue: "mail", depends_on: ["load"] },
    publish: { name: "report.build", queue: "reports", depends_on: ["verify"], args: ["slow"] },
    notify: { name: "mail.welcome", queue: "mail", depends_on: ["load"] },
    cleanup: { name: "search.index", queue: "search", depends_on: ["publish", "notify"] },
  },
});
await call("POST", "/workflows", etl(false));
await call("POST", "/workflows", etl(true));
await call("POST", "/workflows", {
  name: "import.catalogue",
  tasks: {
    plan: { name: "search.index", queue: "search" },
    ...Object.fromEntries(many(600, (index) => [`part-${index}`, { name: "search.index", queue: "catalogue", depends_on: ["plan"], args: index % 97 === 5 ? ["fail"] : [index] }])),
    merge: { name: "report.build", queue: "reports", depends_on: many(600, (index) => `part-${index}`) },
  },
});
await call("POST", "/workflows", { name: "sign-up", chain: ["mail.welcome", "search.index", "mail.digest"].map((name) => ({ name, queue: "mail" })) });
await call("PUT", "/queues/payments", { weight: 3, rate_limit: { limit: 30, per: "1m", burst: 0 }, concurrency: 2, max_depth: 10000 });
await call("PUT", "/queues/mail", { key_rate_limit: { limit: 20, per: "1m" }, fair_weights: { "tenant-a": 3 }, concurrency: 4 });
await submit(many(30, (index) => ({ name: "search.index", queue: "archive", args: [index] })));
await call("POST", "/queues/archive/pause");
