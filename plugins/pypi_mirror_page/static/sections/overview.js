// The mirror at a glance: how fresh, how full, what it saves, the run under way and the last ones.

import { airflowLink } from "../airflow_links.js";
import { get, Trouble } from "../api.js";
import { badge, bar, el, show } from "../dom.js";
import { freshness, notes } from "../freshness.js";
import { table, time } from "../paged_table.js";
import { empty, troubleBox } from "../trouble.js";
import { count, duration, number, percent, secondsSince, size } from "../wording.js";
import { runProgress } from "./run_progress.js";

const TONES = { success: "good", failed: "bad", running: "info", queued: "info" };
const SHOWN = 5;

export const overview = (context) => {
  const parts = {
    trouble: el("div"),
    fresh: el("div", { class: "fresh card" }),
    notes: el("ul", { class: "notes" }),
    run: el("section", { class: "block", "aria-labelledby": "run-heading" }),
    figures: el("dl", { class: "figures" }),
    disk: el("section", { class: "card block", "aria-labelledby": "disk-heading" }),
    runs: el("section", { class: "block", "aria-labelledby": "runs-heading" }),
  };
  const progress = runProgress(context, parts.run);
  let shown = null;

  const update = async (state, trouble) => {
    show(parts.trouble, trouble && [trouble.title, trouble.message], () => trouble && troubleBox(trouble, context.refresh));
    if (state !== null) {
      showFreshness(parts, state, context.staleAfter);
      showFigures(parts.figures, state);
      showDisk(parts.disk, state.disk);
      progress.expect(state.running);
    }
    // Airflow knows its runs before there is a mirror; where it does not answer either, once said is enough.
    await showRuns(parts.runs, trouble === null);
    shown.removeAttribute("aria-busy");
  };

  return {
    name: "overview",
    label: "Overview",
    open(panel) {
      if (shown === null) {
        panel.append(...Object.values(parts));
        panel.setAttribute("aria-busy", "true");
        shown = panel;
      }
      context.listeners.add(update);
      progress.start();
      if (context.latest) update(context.latest, null);
    },
    close() {
      context.listeners.delete(update);
      progress.stop();
    },
  };
};

const showFreshness = (parts, state, staleAfter) => {
  const { tone, headline, detail } = freshness(state, staleAfter);
  parts.fresh.dataset.tone = tone;
  const approve = state.waiting === null ? null : el("a", { href: "#removals" }, "See what it would remove");
  show(parts.fresh, [headline, detail, Boolean(approve)], () => [
    el("span", { class: "dot", "aria-hidden": "true" }),
    el("p", { class: "headline" }, headline),
    el("p", { class: "detail" }, detail, approve && [" ", approve])]);
  const said = notes(state);
  show(parts.notes, said, () => said.map((note) => el("li", { class: "note", "data-tone": note.tone }, note.words)));
};

const figure = (name, value, more) =>
  el("div", null, el("dt", null, name), el("dd", null, value), more && el("dd", { class: "more" }, more));

const showFigures = (place, state) => {
  const saved = state.dropped_bytes / Math.max(1, state.dropped_bytes + state.bytes);
  const lag = state.lag_seconds;
  const minutes = lag >= 3600 ? `${count(Math.round(lag / 60), "minute")}, ` : "";
  show(place, state, () => [
    figure("Projects", number(state.projects)),
    figure("Files", number(state.files)),
    figure("Size", size(state.bytes)),
    figure("Saved by filters", size(state.dropped_bytes),
      state.dropped_files > 0 ? `${count(state.dropped_files, "file")}, ${percent(saved)} of these projects` : "no file is left out"),
    figure("Lag", lag === null ? "Unknown" : lag === 0 ? "None" : duration(lag),
      state.behind === null ? null : `${minutes}${count(state.behind, "event")} behind`),
    figure("Complete up to event", state.cursor === null ? "–" : number(state.cursor),
      state.upstream_serial === null ? "upstream’s is unknown" : `upstream is at ${number(state.upstream_serial)}`),
    figure("Backlog", number(state.backlog), state.parked > 0 ? `${number(state.parked)} of them parked` : "projects to be retried"),
    figure("Removed, still on disk", size(state.tombstones.bytes), count(state.tombstones.count, "file")),
  ]);
};

const showDisk = (place, disk) => {
  const used = disk.total - disk.free;
  show(place, disk, () => [
    el("div", { class: "line" }, el("h2", { id: "disk-heading" }, "Disk"),
      el("span", { class: "muted words" }, `${size(disk.free)} of ${size(disk.total)} free at ${disk.path}, of which ${size(disk.reserve)} are kept`)),
    bar([used / disk.total, disk.free < disk.reserve ? "bad" : ""], [Math.min(disk.reserve, disk.free) / disk.total, "kept"]),
  ]);
};

/** Airflow's runs; they are asked for with each look, since only Airflow knows of those that wait. */
const showRuns = async (place, complains) => {
  let dags;
  try {
    ({ dags } = await get("runs"));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    show(place, [error.title, error.message], () => complains && troubleBox(error, () => showRuns(place, true)));
    return;
  }
  const runs = dags.flatMap((dag) => dag.runs.slice(0, SHOWN).map((run) => ({ ...run, dag: dag.dag_id })));
  runs.sort((a, b) => (b.started_at ?? b.queued_at ?? "").localeCompare(a.started_at ?? a.queued_at ?? ""));
  show(place, dags, () => [
    el("div", { class: "line" }, el("h2", { id: "runs-heading" }, "Runs in Airflow"),
      dags.map((dag) => [airflowLink(dag.link, dag.dag_id), dag.paused ? badge("paused", "warn")
        : dag.next_run_at && el("span", { class: "muted" }, "next ", time(dag.next_run_at))])),
    dags.some((dag) => dag.paused) && el("p", { class: "note", "data-tone": "warn" },
      `Airflow starts no run of ${dags.filter((dag) => dag.paused).map((dag) => dag.dag_id).join(" and ")} by itself: switch it on in Airflow’s list of DAGs.`),
    runs.length === 0 ? empty("No run yet. Trigger the DAG pypi_mirror in Airflow to start the first sync.")
      : table("The newest runs in Airflow", [
        ["Run", (run) => airflowLink(run.link, run.run_id), "text"],
        ["DAG", (run) => run.dag],
        ["State", (run) => badge(run.state, TONES[run.state])],
        ["Started", (run) => time(run.started_at), "when"],
        ["Took", took, "when"],
        ["By", (run) => run.started_by ?? run.type],
      ], runs),
  ]);
};

const took = (run) => {
  if (run.started_at === null) return "–";
  const end = run.finished_at === null ? 0 : secondsSince(run.finished_at);
  return duration(secondsSince(run.started_at) - end);
};
