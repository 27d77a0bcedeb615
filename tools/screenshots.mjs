// Takes a picture of every page, light, dark and narrow: node tools/screenshots.mjs ADDRESS FOLDER
// Needs a server with something to show at ADDRESS (such as http://127.0.0.1:8000), and Debian's chromium-driver.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const [address, folder] = process.argv.slice(2);
const driver = "http://127.0.0.1:9515";
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--enable-features=OverlayScrollbar", "--hide-scrollbars", "--window-size=1360,900"];
const LOOKS = { light: [1360, "light"], dark: [1360, "dark"], narrow: [390, "light"], "narrow-dark": [390, "dark"] };
const DEADLINE_MS = 20_000;

async function call(method, path, body) {
  const response = await fetch(driver + path, { method, body: body && JSON.stringify(body) });
  const { value } = await response.json();
  if (value?.error) throw new Error(`${value.error}: ${value.message}`);
  return value;
}

async function eventually(what, isSo) {
  for (const until = Date.now() + DEADLINE_MS; Date.now() < until; await delay(50)) {
    if (await isSo().catch(() => false)) return;
  }
  throw new Error(`${what}: not in time`);
}

/** A task of each kind that its page shows differently. */
async function pages() {
  const one = async (query) => (await (await fetch(`${address}/api/v1/tasks?limit=1&${query}`)).json()).data[0]?.id;
  const tasks = { "task-success": "status=success", "task-failed": "status=failed", "task-running": "status=running", "task-retry": "status=retry" };
  const found = { overview: "/ui/", tasks: "/ui/tasks", "tasks-failed": "/ui/tasks?status=failed", queues: "/ui/queues", queue: "/ui/queue?name=mail", "queue-settings": "/ui/queue?name=mail&tab=settings", "dead-letters": "/ui/dead-letters",
    "dead-list": "/ui/dead-letters?view=list&queue=payments", schedules: "/ui/schedules", schedule: "/ui/schedule?name=nightly-report&tab=preview", "schedule-edit": "/ui/schedule?name=nightly-report&tab=edit",
    "new-schedule": "/ui/new-schedule", workflows: "/ui/workflows", metrics: "/ui/metrics", "overview-1h": "/ui/?window=1h", about: "/ui/about", workers: "/ui/workers", actors: "/ui/actors", new: "/ui/new", "no-match": "/ui/tasks?name=nobody", docs: "/docs", "docs-submit": "/docs#submit_task", errors: "/docs/errors#unique_key_held" };
  for (const [name, query] of Object.entries(tasks)) {
    const id = await one(query);
    if (id) found[name] = `/ui/tasks/${id}`;
  }
  const flows = (await (await fetch(`${address}/api/v1/workflows?limit=50`)).json()).data;
  for (const [name, called] of [["workflow", "etl.daily"], ["workflow-large", "import.catalogue"]]) {
    const flow = flows.find((each) => each.name === called);
    if (flow) found[name] = `/ui/workflows/${flow.id}`;
  }
  if (found.workflow) found["workflow-tasks"] = `${found.workflow}?tab=tasks`;
  if (found["task-failed"]) found["task-attempts"] = `${found["task-failed"]}?tab=attempts`;
  return found;
}

async function take(session, [width, scheme], name, path) {
  const cdp = (cmd, params) => call("POST", `${session}/goog/cdp/execute`, { cmd, params });
  await cdp("Emulation.setDeviceMetricsOverride", { width, height: width < 500 ? 844 : 900, deviceScaleFactor: 1, mobile: width < 500 });
  await cdp("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  await call("POST", `${session}/url`, { url: "about:blank" });
  await call("POST", `${session}/url`, { url: address + path });
  await eventually(name, () => call("POST", `${session}/execute/sync`, {
    script: "return document.querySelector('main h1') && !document.querySelector('.skeleton') && !document.querySelector('.connection.is-connecting')", args: [] }));
  await eventually(`${name}: what it draws`, () => call("POST", `${session}/execute/sync`, {
    script: "return [...document.querySelectorAll('.uplot-box')].every((box) => box.querySelector('canvas'))", args: [] }));
  // Two polls of the figures, so that the chart has a line.
  if (path === "/ui/") await delay(6_000);
  writeFileSync(`${folder}/${name}.png`, await call("GET", `${session}/screenshot`), "base64");
}

mkdirSync(folder, { recursive: true });
const browser = spawn("chromedriver", ["--port=9515"], { stdio: "ignore" });
try {
  await eventually("chromedriver", async () => (await call("GET", "/status")).ready);
  const { sessionId } = await call("POST", "/session", { capabilities: { alwaysMatch: { "goog:chromeOptions": { args: FLAGS } } } });
  // Names and looks may be picked: overview,tasks light,narrow
  const wanted = process.argv[4]?.split(",");
  const looks = process.argv[5]?.split(",");
  for (const [look, size] of Object.entries(LOOKS).filter(([look]) => !looks || looks.includes(look))) {
    for (const [name, path] of Object.entries(await pages())) {
      if (!wanted || wanted.includes(name)) await take(`/session/${sessionId}`, size, `${name}-${look}`.replace("-light", ""), path);
    }
  }
  await call("DELETE", `/session/${sessionId}`);
} finally {
  browser.kill();
}
