// The empty state: how to submit the first task, from a shell or by a click.
import { Empty } from "./bits.js";
import { Command } from "./copy.js";
import { Icon } from "./icon.js";
import { toast } from "./toast.js";
import { submit } from "../actions/tasks.js";
import { ApiError } from "../api.js";
import { submitBody, submitCurl } from "../curl.js";
import { go } from "../router.js";
import { may } from "../session.js";
import { html } from "../../vendor/preact.js";

const DEMO = submitBody({ name: "demo.echo", args: '["hello"]' });

export function FirstTask() {
  return html`<${Empty} title="No tasks yet">
    <p>Submit the first one from a shell:</p>
    <${Command} text=${submitCurl(DEMO, location.origin)} />
    <p>or from here:</p>
    <div class="actions">
      <button class="primary" disabled=${!may("submit")} onClick=${runDemo}><${Icon} name="running" />Run a demo task</button>
      <a class="button" href="new">Write one</a>
    </div>
  </${Empty}>`;
}

async function runDemo() {
  try {
    const task = await submit(DEMO);
    toast(`Submitted ${task.name}. It is now ${task.status}.`);
    go(`tasks/${task.id}`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(`Run a demo task: ${error.message}`, "bad");
  }
}
