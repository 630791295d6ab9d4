// The run under way: how far, how fast, how long still, and each of its batches.

import { runLink } from "../airflow_links.js";
import { get, Trouble } from "../api.js";
import { bar, el, show } from "../dom.js";
import { Poll } from "../poll.js";
import { ago, count, duration, number, percent, size } from "../wording.js";

const WHILE_RUNNING = 3, WHILE_IDLE = 20;
const STEP = 0.1;
const KINDS = { sync: "Sync", backfill: "Backfill", selected: "Sync of named projects", audit: "Audit" };

export const runProgress = (context, place) => {
  let run = null, expected = null, announced = null;

  const announce = () => {
    const label = run?.label ?? null;
    const reached = run === null ? 0 : Math.floor(share(run) / STEP);
    if (announced !== null && announced.label === label && announced.reached === reached) return;
    const first = announced === null && run === null;
    announced = { label, reached };
    if (!first) context.announce(run === null ? "The run has ended." : run.awaiting_approval !== null ? `${KINDS[run.kind]} is awaiting approval.` : `${KINDS[run.kind]}: ${percent(share(run))} ${run.pages > 0 ? "of the pages read" : "done"}, ${left(run)}.`);
  };

  const look = async () => {
    try {
      const before = run?.label ?? null;
      run = await get("progress");
      render(place, run);
      announce();
      // What it has done, and whether it succeeded, is worth a look at once.
      if (before !== null && run?.label !== before) context.refresh();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
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

// Pages are read before there is a plan.
const share = (run) => run.pages > 0 ? (run.pages_read + run.failed) / run.pages
  : run.planned === 0 ? 0 : (run.done + run.failed) / run.planned;

const left = (run) =>
  run.pages === 0 && run.planned === 0 ? "the plan is being made" : run.seconds_left === null ? "time left not known yet" : `${duration(run.seconds_left)} left`;

const render = (place, run) =>
  show(place, run, () => run !== null && run.awaiting_approval !== null ? [
    el("h2", { id: "run-heading" }, `${KINDS[run.kind]} is awaiting approval`),
    el("div", { class: "card block" },
      el("div", { class: "line" },
        el("strong", null, `The plan would remove ${run.awaiting_approval}`),
        el("span", { class: "muted" }, "Run ", runLink(run.label, run.kind), `, started ${ago(run.started_at)}`)),
      el("p", { class: "muted" }, "Nothing is downloaded or removed until a person answers, under Removals."))]
  : run !== null && [
    el("h2", { id: "run-heading" }, `${KINDS[run.kind]} under way`),
    el("div", { class: "card block" },
      el("div", { class: "line" },
        el("strong", null, `${run.pages > 0 ? "Reading pages: " : ""}${percent(share(run))}, ${left(run)}`),
        el("span", { class: "muted" }, "Run ", runLink(run.label, run.kind), `, started ${ago(run.started_at)}`)),
      progressBar(run),
      el("p", { class: "muted" }, sentence(run))),
    run.batch_list.length > 0 && batches(run)]);

const progressBar = (run) => {
  const whole = bar(...(run.pages > 0 ? shares(run.pages_read, run.failed, run.pages) : shares(run.done, run.failed, run.planned)));
  whole.removeAttribute("aria-hidden");
  const named = { role: "progressbar", "aria-label": run.pages > 0 ? "Pages read" : "Projects done", "aria-valuemin": "0", "aria-valuemax": "100",
    "aria-valuenow": String(Math.floor(share(run) * 100)), "aria-valuetext": `${percent(share(run))}, ${left(run)}` };
  for (const [name, value] of Object.entries(named)) whole.setAttribute(name, value);
  return whole;
};

const shares = (done, failed, of) => [[done / Math.max(1, of), "done"], [failed / Math.max(1, of), "bad"]];

const sentence = (run) => {
  if (run.pages > 0) {
    const unreadable = run.failed > 0 ? `, ${number(run.failed)} could not be read` : "";
    return `${number(run.pages_read)} of ${count(run.pages, "page")} read${unreadable}; then the plan is made.`;
  }
  const speed = run.bytes_a_second === null ? "" : `, ${size(run.bytes_a_second)} a second`;
  const pace = run.projects_a_second === null ? "" : ` (${run.projects_a_second.toPrecision(2)} a second)`;
  const failed = run.failed > 0 ? `, ${number(run.failed)} of them failed` : "";
  return `${number(run.done + run.failed)} of ${count(run.planned, "project")}${pace}${failed}; `
    + `${count(run.files, "file")}, ${size(run.bytes)} downloaded${speed}; ${number(run.batches_done)} of ${count(run.batches, "batch", "batches")} done`;
};

const batches = (run) =>
  el("details", { open: run.batch_list.length <= 24 },
    el("summary", null, "Batches"),
    el("ul", { class: "batches" }, run.batch_list.map((batch) => el("li", null,
      el("div", { class: "line" },
        el("span", { class: "name", title: batch.name }, batch.name),
        el("span", { class: "muted small" }, `${number(batch.done + batch.failed)}/${number(batch.projects)}`)),
      bar(...shares(batch.done, batch.failed, batch.projects)),
      batch.failed > 0 && el("span", { class: "small" }, `${number(batch.failed)} failed`)))));
