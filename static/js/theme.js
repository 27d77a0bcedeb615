// Runs before the first paint, so that a chosen theme doesn't flash the other. Not a module, as those wait.
try {
  document.documentElement.dataset.theme = localStorage.getItem("jobqueue.v1.theme") ?? "system";
} catch {
  document.documentElement.dataset.theme = "system";
}
