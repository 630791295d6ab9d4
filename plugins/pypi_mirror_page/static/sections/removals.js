// What a plan would take away and a person has to approve, and what was taken away and is still on the disk.

import { airflowLink, runLink } from "../airflow_links.js";
import { answerRun, get, ApiError } from "../api.js";
import { badge, el, show } from "../dom.js";
import { pagedTable, time } from "../paged_table.js";
import { Poll } from "../poll.js";
import { actionButton, confirmed, report } from "../actions.js";
import { empty, errorBox } from "../loading.js";
import { ago, count, number, size } from "../wording.js";

const PAGE = 100;
// Between the plan and its question Airflow starts a task, so the buttons come a little later than the plan.
const WHILE_NOT_ASKED = 3, EVERY = 15;

export const removals = (context) => {
  const outcome = el("div"), plan = el("div", { class: "block" }), listed = el("div", { class: "block" });
  const gone = el("div", { class: "block" });
  let asked = true, planned = null, answered = null;

  const answer = (approval, option, waiting) => async () => {
    const approves = option === approval.options[0];
    const sure = await confirmed({
      title: approves ? `${waiting.would[0].toUpperCase()}${waiting.would.slice(1)}?` : "Reject the plan?",
      words: approves
        ? waiting.touched > 0 ? ["Clients no longer find what is removed as soon as the run continues.", kept(waiting)] : ["The run downloads it."]
        : ["The run fails and nothing changes. The next run makes a new plan."],
      label: option, kind: approves ? "danger" : null,
    });
    if (!sure) return;
    await report(outcome, context.announce, async () => {
      await answerRun(approval.answer, option);
      answered = { run: waiting.run, words: approves ? "The run continues." : "The run ends." };
      poll.now();
      context.refresh();
      return [approves ? "Approved: " : "Rejected: ", airflowLink(approval.link, approval.run_id), approves ? " continues." : " ends."];
    });
  };

  const look = async () => {
    try {
      const { waiting, approval, finding } = await get("removals", { limit: 1 });
      asked = waiting === null || approval !== null;
      // A run that is cleared asks once more.
      if (waiting === null) answered = null;
      const done = waiting !== null && waiting.run === answered?.run;
      show(plan, [waiting, approval, finding, done], () => {
        if (waiting === null) return empty("No plan is awaiting approval. A run that would remove more than [removal] allows, or add more than [dependencies] allows, stops here until somebody decides.");
        return done ? el("p", { class: "muted" }, answered.words) : waitingCard(context, waiting, approval, finding, answer);
      });
      list(done ? null : waiting);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      show(plan, [error.title, error.message], () => errorBox(error, () => poll.now()));
      list(null);
    } finally {
      plan.removeAttribute("aria-busy");
    }
  };
  const poll = new Poll(look, () => (asked ? EVERY : WHILE_NOT_ASKED));

  /** What the plan would remove; a plan that is listed already stays as it is. */
  const list = (waiting) => {
    const key = waiting === null ? null : `${waiting.run} ${waiting.plan}`;
    if (key === planned) return;
    planned = key;
    if (key === null) {
      listed.replaceChildren();
      return;
    }
    pagedTable(listed, {
      caption: "What the plan would remove",
      columns: PLANNED,
      fetchPage: (after) => get("removals", { after, limit: PAGE }),
      nothing: "The plan removes nothing.",
    });
  };

  let made = false;
  return {
    name: "removals",
    label: "Removals",
    open(panel) {
      if (!made) {
        panel.append(
          el("section", { class: "block", "aria-labelledby": "waiting-heading" }, el("h2", { id: "waiting-heading" }, "Awaiting approval"), outcome, plan, listed),
          el("section", { class: "block", "aria-labelledby": "gone-heading" }, el("h2", { id: "gone-heading" }, "Removed, still on disk"),
            el("p", { class: "muted" }, "No page lists these files. Until they are deleted, they come back without a download if upstream or the filters bring them back."), gone));
        plan.append(el("p", { class: "muted" }, "Loading …"));
        made = true;
      }
      plan.setAttribute("aria-busy", "true");
      poll.start();
      pagedTable(gone, {
        caption: "Removed files that are still on the disk",
        columns: TOMBSTONES,
        fetchPage: (after) => get("tombstones", { after, limit: PAGE }),
        nothing: "No removed file is on the disk.",
      });
    },
    close() {
      poll.stop();
      outcome.replaceChildren();
    },
  };
};

const kept = ({ grace_days: days }) => days === null ? "The files stay on the disk: [mirror] delete-packages is off."
  : `The files stay on the disk for ${count(days, "day")} ([removal] grace-days) and come back without a download if upstream or the filters bring them back.`;

/** Approving takes something away, so neither button stands out. */
const waitingCard = (context, waiting, approval, finding, answer) => {
  const allowed = context.me.may_approve;
  return el("div", { class: "card block" },
    el("p", null, el("strong", null, `${finding.headline}.`)),
    el("p", null, finding.advice),
    el("p", { class: "words" }, `Plan ${waiting.plan} of the run `, runLink(waiting.run_name, "sync", waiting.started_at), " exceeds what runs may do without approval:"),
    el("ul", { class: "words" }, waiting.exceeded.map((limit) => el("li", null, limit))),
    approval === null
      ? el("p", { class: "note" }, "No run in Airflow is asking: it is about to ask, it was answered a moment ago, or it is a run of the command line (approve that with ", el("code", null, `pypi-mirror sync -c mirror.conf --approve ${waiting.plan}`), ").")
      : el("div", { class: "line" },
        approval.options.map((option, index) => actionButton(option, answer(approval, option, waiting), { allowed, kind: index === 0 ? "danger" : null })),
        !allowed && el("span", { class: "muted" }, "You cannot answer: that requires Airflow’s permission to respond to required actions, and to be one of [removal] approvers if it names any.")));
};

const PLANNED = [
  ["Project", (item) => el("a", { href: `#projects/${item.project}` }, item.project)],
  ["Loses", (item) => (item.whole ? badge("whole project", "bad") : badge("some files", "warn"))],
  ["Reason", (item) => item.reason, "text"],
  ["Files", (item) => number(item.files), "number"],
  ["Size", (item) => size(item.bytes), "number"],
];

const TOMBSTONES = [
  ["File", (item) => el("span", { class: "code", title: item.path }, item.filename), "text"],
  ["Project", (item) => el("a", { href: `#projects/${item.project}` }, item.project)],
  ["Size", (item) => size(item.size), "number"],
  ["Removed", (item) => time(item.removed_at), "when"],
  ["Deleted", (item) => (item.deleted_at === null ? "kept (a lock file names it, or delete-packages is off)"
    : el("span", { title: item.deleted_at }, Date.parse(item.deleted_at) <= Date.now() ? "by the next run" : ago(item.deleted_at)))],
];
