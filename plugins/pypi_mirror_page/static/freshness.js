// How fresh the mirror is, as one clear line: what an administrator looks for first.

import { ago, count, duration, moment, number, secondsSince, size } from "./wording.js";

const HOUR = 3600;

/**
 * {tone, headline, detail} for an overview. `staleAfter` are seconds, null where the administrator wants no limit.
 */
export const freshness = (overview, staleAfter) => {
  const asked = overview.checked_at === null ? "Upstream was never asked yet." : `Upstream was asked ${ago(overview.checked_at)}.`;
  return { ...line(overview, staleAfter), detail: `${since(overview)}${asked}` };
};

const line = (overview, staleAfter) => {
  const { lag_seconds: lag, behind } = overview;
  const events = behind === null ? null : count(behind, "event");
  if (overview.waiting !== null) return { tone: "warn", headline: "A run is waiting for approval" };
  if (overview.cursor === null) {
    return overview.running === null
      ? { tone: "warn", headline: "Nothing is published yet" }
      : { tone: "info", headline: "The first sync is under way" };
  }
  if (lag !== null && staleAfter !== null && lag > staleAfter) {
    return { tone: "bad", headline: `Stale: ${events ? `${events} behind, ` : "behind upstream, "}for ${duration(lag)}` };
  }
  if (lag > 0) return { tone: "warn", headline: `${events ?? "Some events"} behind, for ${duration(lag)}` };
  if (overview.upstream_silent_since !== null) return { tone: "warn", headline: "Upstream does not answer" };
  if (lag === null) return { tone: "warn", headline: "How far behind the mirror is cannot be told" };
  if (overview.checked_at !== null && secondsSince(overview.checked_at) > (staleAfter ?? 24 * HOUR)) {
    return { tone: "warn", headline: `Not compared with upstream for ${duration(secondsSince(overview.checked_at))}` };
  }
  return { tone: "good", headline: "Current" };
};

const since = (overview) =>
  overview.updated_at === null ? "No sync has succeeded yet. " : `The last sync without a new failure ended ${ago(overview.updated_at)}. `;

/** What else a person should know, each {tone, words}. */
export const notes = (overview) => {
  const found = [];
  const add = (tone, words) => found.push({ tone, words });
  if (overview.upstream_silent_since !== null) {
    add("warn", `Upstream has not answered for ${duration(secondsSince(overview.upstream_silent_since))}; the mirror serves what it has.`);
  }
  if (overview.paused_until !== null) add("info", `Downloads are paused by [mirror] download-window and go on at ${moment(overview.paused_until)}.`);
  if (overview.left !== null) {
    const { projects, bytes, runs } = overview.left;
    const rest = bytes === null ? "" : `, about ${size(bytes)},`, during = runs === null ? "" : ` (about ${count(runs, "run")})`;
    add("info", `Runs are bounded by [schedule]: ${count(projects, "project")}${rest} are left for the runs to come${during}.`);
  }
  if (overview.last_run === "failed" && overview.running === null) add("bad", "The last run failed; the backlog and the run in Airflow say why.");
  if (overview.clock_ahead !== null) {
    add("warn", `This machine's clock was ${duration(overview.clock_ahead)} ahead of the clocks that the mirror has seen. Nothing is deleted early; mend the clock.`);
  }
  if (overview.unknown_names.length > 0) {
    const shown = overview.unknown_names.slice(0, 10).join(", "), more = overview.unknown_names.length - 10;
    add("warn", `Upstream has no project of these names, which [allowlist] packages asks for: ${shown}${more > 0 ? ` and ${number(more)} more` : ""}.`);
  }
  if (overview.disk.free < overview.disk.reserve) {
    add("bad", "The disk is down to its reserve ([mirror] disk-reserve): runs stop before they write. Free room, or enlarge the disk.");
  }
  return found;
};
