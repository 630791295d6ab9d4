// The mirror at a glance: what to know first, how full it is, the run under way and the last ones.

import { airflowLink, runName } from "../airflow_links.js";
import { get, post, ApiError } from "../api.js";
import { badge, bar, el, show } from "../dom.js";
import { due, table, time } from "../paged_table.js";
import { actionButton, report } from "../actions.js";
import { empty, errorBox } from "../loading.js";
import { KINDS, doneColumns, runState, took } from "../run_words.js";
import { headline, note } from "../verdict.js";
import { ago, count, duration, number, percent, size } from "../wording.js";
import { runProgress } from "./run_progress.js";

const SHOWN = 5;
// Milliseconds that Airflow may take to start a run that it was asked for.
const STARTING = 60000;
const DAG_KINDS = { pypi_mirror: "sync", pypi_mirror_audit: "audit", pypi_mirror_watch: "watch", pypi_mirror_cooldown: "cooldown" };
// Every few minutes, and nothing to tell unless they fail or did something.
const FREQUENT = ["pypi_mirror_watch", "pypi_mirror_cooldown"];
const SWITCHED_OFF = {
  pypi_mirror_audit: ["Audits are switched off", "Nothing compares the files on the disk with their checksums"],
  pypi_mirror_watch: ["The watch is switched off", "Between runs upstream is not checked and no alert is sent"],
  pypi_mirror_cooldown: ["The end of cooldowns is switched off", "New files that are due wait for the next sync"],
};

export const overview = (context) => {
  const words = el("div", { class: "words" }), outcome = el("div");
  const parts = {
    trouble: el("div"),
    fresh: el("div", { class: "fresh card" }),
    outcome,
    notes: el("ul", { class: "notes" }),
    run: el("section", { class: "block", "aria-labelledby": "run-heading" }),
    figures: el("dl", { class: "figures" }),
    disk: el("section", { class: "card block", "aria-labelledby": "disk-heading" }),
    runs: el("section", { class: "block", "aria-labelledby": "runs-heading" }),
  };
  let shown = null, under_way = false, started = 0;
  const ready = () => context.me.may_act && !under_way && Date.now() - started > STARTING;
  const sync = actionButton("Sync now", () => report(outcome, context.announce, async () => {
    const { run } = await post("runs", {});
    started = Date.now();
    context.refresh();
    return ["The run ", airflowLink(run.link, run.run_id), run.paused ? " starts when somebody switches on the DAG pypi_mirror." : " starts in a moment."];
  }), { allowed: context.me.may_act, ready });
  parts.fresh.append(words, sync);
  const progress = runProgress(context, parts.run);

  const update = async (state, trouble) => {
    show(parts.trouble, trouble && [trouble.title, trouble.message], () => trouble && errorBox(trouble, context.refresh));
    if (state?.exists === false) {
      showFinding(parts.fresh, words, state.verdict.worst);
      for (const part of [parts.notes, parts.figures, parts.disk]) show(part, null, () => null);
      under_way = false;
    } else if (state !== null) {
      showFinding(parts.fresh, words, state.verdict.worst, () => [examples(state), lastLooks(state)]);
      const { others } = state.verdict;
      show(parts.notes, others, () => others.map(note));
      showFigures(parts.figures, state);
      showDisk(parts.disk, state.disk);
      progress.expect(state.running);
      under_way = state.running !== null;
    }
    parts.fresh.hidden = state === null;
    sync.disabled = !ready();
    if (under_way) sync.title = "A run is under way";
    else if (context.me.may_act) sync.removeAttribute("title");
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
      outcome.replaceChildren();
    },
  };
};

const showFinding = (card, words, finding, more = () => []) => {
  card.dataset.tone = finding.tone;
  const further = more();
  show(words, [finding, further.map((each) => each?.textContent)], () => [headline(finding), further]);
};

/** Of what awaits approval. */
const examples = ({ waiting }) => {
  if (waiting === null || waiting.examples.length === 0) return null;
  const rest = waiting.touched - waiting.examples.length;
  return el("ul", { class: "detail" },
    waiting.examples.map((each) => el("li", null, el("a", { href: `#projects/${each.project}` }, each.project), `: ${loss(each)} (${each.reason})`)),
    rest > 0 && el("li", null, `and ${count(rest, "more project")}`));
};

const loss = ({ whole, files, bytes }) => `${whole ? "the whole project, " : ""}${count(files, "file")}, ${size(bytes)}`;

const lastLooks = ({ checked_at: checked, updated_at: updated }) =>
  el("p", { class: "detail muted" },
    checked === null ? "Upstream has not been asked yet. " : ["Upstream was asked ", when(checked), ". "],
    updated === null ? "No sync is complete yet." : ["The last complete sync ended ", when(updated), "."]);

const when = (moment) => el("time", { datetime: moment, title: new Date(moment).toISOString() }, ago(moment));

const figure = (name, value, more, title) =>
  el("div", null, el("dt", { title }, name), el("dd", null, value), more && el("dd", { class: "more" }, more));

const showFigures = (place, state) => {
  const saved = state.dropped_bytes / Math.max(1, state.dropped_bytes + state.bytes);
  const lag = state.lag_seconds;
  show(place, { ...state, at: null, verdict: null }, () => [
    figure("Projects", number(state.projects)),
    figure("Files", number(state.files)),
    figure("Size", size(state.bytes)),
    figure("Left out by filters", count(state.dropped_files, "file"),
      state.dropped_files > 0 && `${size(state.dropped_bytes)}, ${percent(saved)} of these projects' bytes`),
    figure("Behind upstream", lag === null ? "unknown" : lag === 0 ? "up to date" : duration(lag), events(state)),
    figure("Serial", state.cursor === null ? "none yet" : number(state.cursor),
      state.upstream_serial === null ? "upstream states none" : `upstream's newest event is ${number(state.upstream_serial)}`, "Upstream's event number up to which the mirror is complete"),
    figure("Backlog", count(state.backlog, "project"), state.parked > 0 ? `${number(state.parked)} of them parked` : state.backlog > 0 && "retried automatically"),
    state.cooldown.files > 0 && figure("In cooldown", el("a", { href: "#cooldown" }, count(state.cooldown.files, "file")), ["the next ", due(state.cooldown.next_due_at, "is due")]),
    state.dependencies !== null && figure("Required by others", el("a", { href: "#dependencies" }, count(state.dependencies.required, "project")),
      moreOf(state.dependencies)),
    figure("Removed, still on disk", count(state.tombstones.count, "file"), state.tombstones.count > 0 && size(state.tombstones.bytes)),
  ]);
};

const moreOf = ({ unmet, no_longer_required: over, leaves_at: at }) => (unmet > 0 || over > 0) && [
  unmet > 0 && `${count(unmet, "requirement")} not met`, unmet > 0 && over > 0 && "; ",
  over > 0 && [`${number(over)} no longer required, the first leaves `, due(at, "with the next sync")],
];

const events = ({ behind, lag_seconds: lag }) =>
  behind ? `${count(behind, "event")}${lag === 0 ? " that change nothing here" : ""}` : null;

const showDisk = (place, disk) => {
  const used = disk.total - disk.free;
  show(place, disk, () => [
    el("div", { class: "line" }, el("h2", { id: "disk-heading" }, "Disk"),
      el("span", { class: "muted words" }, `${size(disk.free)} of ${size(disk.total)} free, ${size(disk.reserve)} reserved, at ${disk.path}`)),
    bar([used / disk.total, disk.free < disk.reserve ? "bad" : ""], [Math.min(disk.reserve, disk.free) / disk.total, "kept"]),
  ]);
};

/** Airflow's runs; they are asked for with each look, since only Airflow knows of those that wait. */
const showRuns = async (place, complains) => {
  let dags;
  try {
    ({ dags } = await get("runs"));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    show(place, [error.title, error.message], () => complains && errorBox(error, () => showRuns(place, true)));
    return;
  }
  const runs = dags.flatMap((dag) => dag.runs.slice(0, SHOWN).map((run) => ({ ...run, dag: dag.dag_id })))
    .filter((run) => !FREQUENT.includes(run.dag) || run.did !== null || run.state === "failed");
  runs.sort((a, b) => (b.started_at ?? b.queued_at ?? "").localeCompare(a.started_at ?? a.queued_at ?? ""));
  const leftOut = dags.reduce((sum, dag) => sum + dag.left_out, 0);
  show(place, dags, () => [
    el("div", { class: "line" }, el("h2", { id: "runs-heading" }, "Runs in Airflow"),
      dags.map((dag) => el("span", { class: "small" }, airflowLink(dag.link, dag.dag_id), " ",
        dag.paused ? badge("paused", "warn") : dag.next_run_at && el("span", { class: "muted" }, "next ", when(dag.next_run_at))))),
    dags.filter((dag) => dag.paused && SWITCHED_OFF[dag.dag_id]).map((dag) => el("p", { class: "note", "data-tone": "warn" },
      el("strong", null, `${SWITCHED_OFF[dag.dag_id][0]}. `), SWITCHED_OFF[dag.dag_id][1], `: switch on the DAG ${dag.dag_id} in Airflow's list of DAGs.`)),
    runs.length === 0 ? empty("No run yet. Sync now starts the first one.")
      : table("The newest runs in Airflow", [
        ["Run", named, "when"],
        ["Kind", (run) => (run.did === null ? DAG_KINDS[run.dag] : KINDS[run.did.kind])],
        ["State", (run) => runState(has(run, "paused") ? "paused" : run.state)],
        ["Took", (run) => took(run.did?.finished_at ? run.did : run), "when"],
        ...doneColumns((run) => run.did),
      ], runs),
    el("p", { class: "muted small" },
      leftOut > 0 && `Not shown: ${count(leftOut, "newest run")} in Airflow that this mirror's ledger does not know. They are another mirror's, or dry runs. `,
      "Syncs that were started on the command line are in the tab ", el("a", { href: "#history" }, "History"), "."),
  ]);
};

const named = (run) => {
  const link = airflowLink(run.link, runName(run.type.replaceAll("_", " "), run.started_at ?? run.queued_at));
  link.title = run.run_id;
  return [
    link,
    run.started_by !== null && el("div", { class: "muted small" }, `by ${run.started_by}`),
    run.unknown && el("div", { class: "muted small words" }, "Not in this mirror's ledger: it failed at its start, or is another mirror's."),
  ];
};

/** Airflow calls a run that leaves a part of its plan to the next one a success. */
const has = ({ did }, state) => did?.state === state;
