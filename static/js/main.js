// Starts the dashboard and shows the page the address names.
import { About } from "./pages/about.js";
import { Actors } from "./pages/actors.js";
import { DeadLetters } from "./pages/dead-letters.js";
import { Login, Unknown } from "./pages/login.js";
import { Metrics } from "./pages/metrics.js";
import { NewTask } from "./pages/new.js";
import { Overview } from "./pages/overview.js";
import { NewSchedule } from "./pages/new-schedule.js";
import { QueuePage } from "./pages/queue.js";
import { Queues } from "./pages/queues.js";
import { SchedulePage } from "./pages/schedule.js";
import { Schedules } from "./pages/schedules.js";
import { TaskPage } from "./pages/task.js";
import { Tasks } from "./pages/tasks.js";
import { WorkflowPage } from "./pages/workflow.js";
import { Workflows } from "./pages/workflows.js";
import { Workers } from "./pages/workers.js";
import { unauthorized } from "./api.js";
import * as router from "./router.js";
import * as session from "./session.js";
import * as store from "./store.js";
import { Empty } from "./ui/bits.js";
import * as keyboard from "./ui/keyboard.js";
import { Shell } from "./ui/shell.js";
import { html, render, useEffect } from "../vendor/preact.js";

/** @type {Record<string, [string, (props: any) => unknown]>} */
const PAGES = {
  overview: ["Overview", Overview],
  tasks: ["Tasks", Tasks],
  task: ["Task", TaskPage],
  queues: ["Queues", Queues],
  queue: ["Queue", QueuePage],
  "dead-letters": ["Dead letters", DeadLetters],
  workflows: ["Workflows", Workflows],
  workflow: ["Workflow", WorkflowPage],
  schedules: ["Schedules", Schedules],
  schedule: ["Schedule", SchedulePage],
  "new-schedule": ["New schedule", NewSchedule],
  workers: ["Workers", Workers],
  actors: ["Actors", Actors],
  metrics: ["Metrics", Metrics],
  about: ["About", About],
  new: ["New task", NewTask],
  "not-found": ["No such page", NotFound],
};

function App() {
  const { page, params, path } = router.route.value;
  const [title, View] = PAGES[page];
  useEffect(() => {
    document.title = `${title} · jobqueue`;
    if (path !== firstPath) document.getElementById("main")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [path]);
  return html`<${Shell}><${View} key=${path} ...${params} /></${Shell}>`;
}

/** The dashboard for those who may see it; nothing is fetched for others. */
function Gate() {
  const known = session.session.value !== null;
  useEffect(() => {
    if (!known || started) return;
    started = true;
    store.start();
    keyboard.start();
  }, [known]);
  if (unauthorized.value) return html`<${Login} />`;
  return known ? html`<${App} />` : html`<${Unknown} />`;
}

function NotFound() {
  return html`<h1 class="sr">No such page</h1><${Empty} icon="search" title="There is no such page"><p><a href=${router.BASE}>Go to the overview</a></p></${Empty}>`;
}

router.start();
const firstPath = router.route.value.path;
let started = false;
await session.load();
render(html`<${Gate} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
