// Writing a schedule by hand, its ticks shown while one types.
import { go } from "../router.js";
import { NEW } from "../schedule.js";
import { Icon } from "../ui/icon.js";
import { ScheduleForm } from "../ui/schedule-form.js";
import { scheduleHref } from "./schedules.js";
import { html } from "../../vendor/preact.js";

export function NewSchedule() {
  return html`<p class="crumbs"><a href="schedules"><${Icon} name="newer" />Schedules</a></p>
    <header class="head"><h1>New schedule</h1></header>
    <${ScheduleForm} from=${NEW} enabled=${true} onSaved=${(/** @type {string} */ name) => go(scheduleHref(name))} />`;
}
