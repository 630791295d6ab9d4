// How much of the mirror the audits have verified, and what they found.

import { airflowLink, runLink } from "../airflow_links.js";
import { get } from "../api.js";
import { bar, el, facts } from "../dom.js";
import { due, table } from "../paged_table.js";
import { empty, load } from "../loading.js";
import { runState } from "../run_words.js";
import { ago, count, number, percent, size } from "../wording.js";

export const audit = () => ({
  name: "audit",
  label: "Audit",
  open: (panel) => load(panel, async () => {
    const coverage = await get("audit");
    const { dags } = coverage.audits.length === 0 ? await get("runs") : { dags: [] };
    return render(coverage, dags.find((dag) => dag.dag_id === DAG));
  }),
});

const DAG = "pypi_mirror_audit";
const UNDER_WAY = ["queued", "running"];

/** Why there is no audit yet: `dag` is undefined where Airflow has none that this person may see. */
const none = (dag) => {
  const run = dag?.runs.find(({ state }) => UNDER_WAY.includes(state));
  return empty(
    `No audit has finished yet. The DAG ${DAG} verifies a part of the mirror each time: it compares files with their checksums and with upstream and repairs what it can. `,
    run ? [airflowLink(run.link, "The first audit"), run.state === "queued" ? " is queued." : " is running."]
      : dag?.paused ? ["It is switched off: switch it on in ", airflowLink(dag.link, "Airflow"), "."]
      : dag?.next_run_at && ["The first audit is due ", due(dag.next_run_at, "now"), "."]);
};

const render = (coverage, dag) => [
  el("section", { class: "card block", "aria-labelledby": "coverage-heading" },
    el("h2", { id: "coverage-heading" }, `Verified in the last ${count(coverage.days, "day")}`),
    share("Projects", coverage.projects_covered, coverage.projects, number),
    share("Bytes", coverage.bytes_covered, coverage.bytes, size),
    facts([
      ["Oldest check", oldest(coverage)],
      ["Needed per audit", coverage.needed_bytes === null ? "known after two audits" : `${size(coverage.needed_bytes)}, to verify every project in time`],
    ]),
    coverage.suffices === false && el("p", { class: "note", "data-tone": "warn" },
      "[audit] gigabytes-per-run is too small: at this pace some projects are verified later than [audit] within-days allows. Raise it, or run audits more often.")),
  el("h2", null, "Audits"),
  coverage.audits.length === 0
    ? none(dag)
    : table("The last audits, newest first", AUDITS, coverage.audits),
];

const share = (name, covered, whole, written) => {
  const part = whole === 0 ? 0 : covered / whole;
  return el("div", null,
    el("div", { class: "line" }, el("h3", null, name), el("span", { class: "muted" }, `${percent(part)}: ${written(covered)} of ${written(whole)}`)),
    bar([part, "done"]));
};

const oldest = (coverage) =>
  coverage.oldest !== null ? el("span", { title: coverage.oldest }, ago(coverage.oldest))
    : coverage.never ? "some projects have not been verified yet" : "the mirror is empty";

const findings = (audit) => {
  if (audit.found === null) return "not recorded";
  const kinds = Object.entries(audit.found).filter(([, n]) => n > 0);
  return kinds.length === 0 ? "nothing" : kinds.map(([kind, n]) => `${kind.replaceAll("_", " ")}: ${number(n)}`).join(", ");
};

const AUDITS = [
  ["Audit", (item) => [runLink(item.name, "audit", item.started_at), item.reason && el("div", { class: "muted small words" }, item.reason)], "text"],
  ["State", (item) => runState(item.state)],
  ["Found", findings, "text"],
  ["Repaired", (item) => (item.repaired === null ? "–" : number(item.repaired)), "number"],
  ["Not repaired", (item) => (item.unrepaired === null ? "–" : number(item.unrepaired)), "number"],
];
