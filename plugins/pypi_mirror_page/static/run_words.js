// What tables say of a run, whether Airflow or the ledger has it.

import { badge } from "./dom.js";
import { duration, secondsSince } from "./wording.js";

const TONES = { success: "good", failed: "bad", running: "info", queued: "info", paused: "warn" };

export const KINDS = { sync: "sync", backfill: "backfill", selected: "named projects", audit: "audit", cooldown: "cooldown" };

export const runState = (state) => badge(state, TONES[state]);

/** How long a run took, or has taken so far. */
export const took = ({ started_at: started, finished_at: finished }) => {
  if (started === null) return "–";
  return duration(Math.max(1, secondsSince(started) - (finished === null ? 0 : secondsSince(finished))));
};
