// What tables say of a run, whether Airflow or the ledger has it.

import { badge, el } from "./dom.js";
import { duration, number, secondsSince, size } from "./wording.js";

const TONES = { success: "good", failed: "bad", running: "info", queued: "info", paused: "warn" };

export const KINDS = { sync: "sync", backfill: "backfill", selected: "named projects", audit: "audit", cooldown: "cooldown" };

export const runState = (state) => badge(state, TONES[state]);

/** Columns of what a run of the ledger did, which `of` finds in a row. Audits download nothing, and what a run has done so far is shown where it is watched. */
const did = (run, pick) => (run === null || run.finished_at === null || run.kind === "audit" ? "–" : pick(run));

export const doneColumns = (of) => [
  ["Projects", (item) => did(of(item), ({ projects, failed }) => [number(projects), failed > 0 && el("div", { class: "small" }, `${number(failed)} failed`)]), "number"],
  ["Files", (item) => did(of(item), ({ files }) => number(files)), "number"],
  ["Downloaded", (item) => did(of(item), ({ bytes }) => size(bytes)), "number"],
];

/** How long a run took, or has taken so far. */
export const took = ({ started_at: started, finished_at: finished }) => {
  if (started === null) return "–";
  return duration(Math.max(1, secondsSince(started) - (finished === null ? 0 : secondsSince(finished))));
};
