import assert from "node:assert/strict";
import test from "node:test";
import { inWords } from "../../static/js/cron.js";

test("expressions are said in words", () => {
  for (const [cron, words] of [
    ["* * * * *", "every minute"], ["*/5 * * * *", "every 5 minutes"], ["0 * * * *", "every hour"], ["15 * * * *", "every hour at minute 15"],
    ["30 2 * * *", "every day at 02:30"], ["0 8 * * MON-FRI", "on weekdays at 08:00"], ["0 8,20 * * *", "every day at 08:00 and 20:00"],
    ["0 0 1 * *", "on day 1 of every month at 00:00"], ["0 6 L * *", "on the last day of every month at 06:00"], ["0 0 1 1 *", "on day 1 of January at 00:00"],
    ["0 9 * * 1,3", "every Monday and Wednesday at 09:00"], ["0 9 * * tue-thu", "every Tuesday to Thursday at 09:00"], ["*/10 9-17 * * 1-5", "every 10 minutes, from 09:00 to 17:59, on weekdays"],
    ["0 */6 * * *", "every 6 hours"], ["*/15 * * * * *", "every 15 seconds"], ["0 30 2 * * *", "every day at 02:30"], ["@daily", "every day at 00:00"],
    ["0 4 * 7 *", "every day in July at 04:00"],
  ]) assert.equal(inWords({ cron }), words, cron);
});

test("what can't be said plainly is not said", () => {
  for (const cron of ["0 0 1 * 1", "0 0 15W * *", "0 0 * * 5#2", "1,2,3 * * * *", "nonsense", "@reboot", "0 0 32-x * *", "* * * * * * *"]) assert.equal(inWords({ cron }), null, cron);
});

test("spans are said in words", () => {
  assert.equal(inWords({ every: "30s" }), "every 30 seconds");
  assert.equal(inWords({ every: "1h" }), "every hour");
  assert.equal(inWords({ every: "90m" }), "every 90 minutes");
});
