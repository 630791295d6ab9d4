// The run under way: how far, how fast, how long still, and each of its batches.

import { runLink } from "../airflow_links.js";
import { get, ApiError } from "../api.js";
import { bar, el, show } from "../dom.js";
import { Poll } from "../poll.js";
import { ago, count, duration, number, of, percent, size, speed } from "../wording.js";

const WHILE_RUNNING = 3, WHILE_IDLE = 20;
const STEP = 0.1;
const KINDS = { sync: "Sync", backfill: "Backfill", selected: "Sync of named projects", audit: "Audit", cooldown: "Cooldown" };

export const runProgress = (context, place) => {
  let run = null, expected = null, announced = null;

  const announce = () => {
    const label = run?.label ?? null;
    const reached = run === null ? "" : `${run.phase} ${Math.floor(share(run) / STEP)}`;
    if (announced !== null && announced.label === label && announced.reached === reached) return;
    const first = announced === null && run === null;
    announced = { label, reached };
    if (!first) context.announce(run === null ? "The run has ended." : `${heading(run)}. ${stage(run)}.`);
  };

  const look = async () => {
    try {
      const before = run;
      run = await get("progress");
      render(place, run);
      announce();
      // What it has done, and what to say of the mirror now, is worth a look at once.
      if (before !== null && (run?.label !== before.label || run.phase !== before.phase)) context.refresh();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The overview shows the trouble; old figures would only mislead.
      place.replaceChildren();
      place.shown = undefined;
    }
  };
  const poll = new Poll(look, () => (run === null && expected === null ? WHILE_IDLE : WHILE_RUNNING));

  return {
    start: () => poll.start(),
    stop: () => poll.stop(),
    /** The overview has seen the run `label`, or that there is none. */
    expect(label) {
      const news = label !== expected;
      expected = label;
      if (news && label !== (run?.label ?? null)) poll.now();
    },
  };
};

const PHASES = [["reading", "Reading"], ["following", "Following dependencies"], ["deciding", "Deciding"], ["awaiting-approval", "Approval"], ["fetching", "Fetching"], ["publishing", "Publishing"]];

const reads = (run) => run.phase === "reading" && run.pages > 0;

const follows = (run) => run.phase === "following";

const share = (run) => follows(run) ? (run.known - run.to_follow) / run.known : reads(run) ? (run.pages_read + run.failed) / run.pages
  : run.planned === 0 ? 0 : (run.done + run.failed) / run.planned;

const left = (run) => run.seconds_left === null ? "time left unknown until the first project is done" : `${duration(run.seconds_left)} left`;

/** What the run is at, in a few words. */
const stage = (run) => ({
  reading: run.pages > 0 ? `Reading pages: ${percent(share(run))}, ${left(run)}` : "Finding out what has changed upstream",
  following: `Following dependencies: ${count(run.known, "project")} known, ${number(run.to_follow)} left`,
  deciding: "Deciding what to download and what to remove",
  "awaiting-approval": `The plan would ${run.awaiting_approval}`,
  fetching: `${percent(share(run))} done, ${left(run)}`,
  publishing: "Publishing the index of all projects",
  auditing: "Comparing files with their checksums and with upstream",
})[run.phase];

const heading = (run) => run.phase === "awaiting-approval" ? `${KINDS[run.kind]} is awaiting approval` : `${KINDS[run.kind]} under way`;

const render = (place, run) =>
  show(place, run, () => run !== null && [
    el("h2", { id: "run-heading" }, heading(run)),
    el("div", { class: "card block" },
      run.phase !== "auditing" && phases(run),
      el("div", { class: "line" },
        run.phase !== "awaiting-approval" && el("strong", null, stage(run)),
        el("span", { class: "muted" }, "Run ", runLink(run.name, run.kind, run.started_at), `, started ${ago(run.started_at)}`)),
      (reads(run) || run.phase === "fetching") && progressBar(run),
      sentence(run) !== "" && el("p", { class: "muted" }, sentence(run))),
    run.phase === "fetching" && run.batch_list.length > 0 && batches(run, place.querySelector("details")?.open)]);

/** Few runs need an approval, or follow dependencies. */
const phases = (run) => {
  const shown = PHASES.filter(([phase]) => !["awaiting-approval", "following"].includes(phase) || phase === run.phase || (phase === "following" && run.known > 0));
  const at = shown.findIndex(([phase]) => phase === run.phase);
  return el("ol", { class: "phases" }, shown.map(([, words], index) =>
    el("li", { class: index < at ? "past" : null, "aria-current": index === at ? "step" : null }, words)));
};

const progressBar = (run) => {
  const whole = bar(...(reads(run) ? shares(run.pages_read, run.failed, run.pages) : shares(run.done, run.failed, run.planned)));
  whole.removeAttribute("aria-hidden");
  const named = { role: "progressbar", "aria-label": reads(run) ? "Pages read" : "Projects done", "aria-valuemin": "0", "aria-valuemax": "100",
    "aria-valuenow": String(Math.floor(share(run) * 100)), "aria-valuetext": `${percent(share(run))}, ${left(run)}` };
  for (const [name, value] of Object.entries(named)) whole.setAttribute(name, value);
  return whole;
};

const shares = (done, failed, of) => [[done / Math.max(1, of), "done"], [failed / Math.max(1, of), "bad"]];

const sentence = (run) => {
  // What it would remove is said above.
  if (run.phase === "awaiting-approval") return "";
  if (run.phase === "auditing") return "The run’s log in Airflow says how far it is.";
  if (run.phase === "reading") {
    if (run.pages === 0) return "";
    const unreadable = run.failed > 0 ? `, ${number(run.failed)} could not be read` : "";
    return `${number(run.pages_read)} of ${count(run.pages, "page")} read${unreadable}`;
  }
  if (follows(run)) return "What is required can require more; nothing is downloaded yet.";
  if (run.phase === "deciding") return `The filters are applied to ${count(run.planned, "project")}; nothing is downloaded yet.`;
  const failed = run.failed > 0 ? `, ${number(run.failed)} of them failed` : "";
  const rate = run.bytes_a_second === null ? "" : `, ${speed(run.bytes_a_second)}`;
  return `${of(run.done + run.failed, run.planned, "project")}${failed}; ${of(run.files, run.planned_files, "file")}, ${bytes(run)} downloaded${rate}; `
    + `${of(run.batches_done, run.batches, "batch", "batches")} done`;
};

/** Metadata comes on top of what is planned, and where upstream states no sizes nobody knows the whole. */
const bytes = (run) => run.planned_bytes <= run.bytes ? size(run.bytes)
  : `${size(run.bytes)} of ${run.unsized_files > 0 ? "at least" : "about"} ${size(run.planned_bytes)}`;

const batches = (run, open = run.batch_list.length <= 24) =>
  el("details", { open },
    el("summary", null, "Batches"),
    el("ul", { class: "batches" }, run.batch_list.map((batch) => el("li", null,
      el("div", { class: "line" },
        el("span", { class: "name", title: batch.name }, batch.name),
        el("span", { class: "muted small" }, `${number(batch.done + batch.failed)}/${number(batch.projects)}`)),
      bar(...shares(batch.done, batch.failed, batch.projects)),
      batch.failed > 0 && el("span", { class: "small" }, `${number(batch.failed)} failed`)))));
