// What a plan would take away and a person has to approve, and what was taken away and is still on the disk.

import { airflowLink, runLink } from "../airflow_links.js";
import { answerRun, get, Trouble } from "../api.js";
import { badge, el, show } from "../dom.js";
import { pagedTable, time } from "../paged_table.js";
import { Poll } from "../poll.js";
import { actButton, confirmed, tell } from "../pressing.js";
import { empty, troubleBox } from "../trouble.js";
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
      title: approves ? `Remove ${extent(waiting)}?` : "Reject the plan?",
      words: approves
        ? ["They leave the pages as soon as the run goes on. The files stay on the disk for [removal] grace-days, and come back with the next sync if upstream or the filters bring them back."]
        : ["The run fails, and nothing is removed. The next run makes a new plan."],
      label: option, kind: approves ? "main" : "danger",
    });
    if (!sure) return;
    await tell(outcome, context.announce, async () => {
      await answerRun(approval.answer, option);
      answered = { run: waiting.run, words: approves ? "The run goes on." : "The run ends." };
      poll.now();
      context.refresh();
      return [approves ? "Approved: " : "Rejected: ", airflowLink(approval.link, approval.run_id), approves ? " goes on." : " ends."];
    });
  };

  const look = async () => {
    try {
      const { waiting, approval } = await get("removals", { limit: 1 });
      asked = waiting === null || approval !== null;
      // A run that is cleared asks once more.
      if (waiting === null) answered = null;
      const done = waiting !== null && waiting.run === answered?.run;
      show(plan, [waiting, approval, done], () => {
        if (waiting === null) return empty("No plan waits for approval. Runs that would remove more than [removal] allows stop here until somebody decides.");
        return done ? el("p", { class: "muted" }, answered.words) : waitingCard(context, waiting, approval, answer);
      });
      list(done ? null : waiting);
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      show(plan, [error.title, error.message], () => troubleBox(error, () => poll.now()));
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
      nothing: "The plan removes nothing any more.",
    });
  };

  let made = false;
  return {
    name: "removals",
    label: "Removals",
    open(panel) {
      if (!made) {
        panel.append(
          el("section", { class: "block", "aria-labelledby": "waiting-heading" }, el("h2", { id: "waiting-heading" }, "Waiting for approval"), outcome, plan, listed),
          el("section", { class: "block", "aria-labelledby": "gone-heading" }, el("h2", { id: "gone-heading" }, "Removed, still on disk"),
            el("p", { class: "muted" }, "No page lists these files any more. Until their time is over, they come back without a download."), gone));
        plan.append(el("p", { class: "muted" }, "Loading …"));
        made = true;
      }
      plan.setAttribute("aria-busy", "true");
      poll.start();
      pagedTable(gone, {
        caption: "Removed files that are still on the disk",
        columns: TOMBSTONES,
        fetchPage: (after) => get("tombstones", { after, limit: PAGE }),
        nothing: "Nothing is on the disk that no page lists.",
      });
    },
    close() {
      poll.stop();
      outcome.replaceChildren();
    },
  };
};

const extent = (waiting) => `${count(waiting.files, "file")} of ${count(waiting.projects, "project")} (${size(waiting.bytes)})`;

const waitingCard = (context, waiting, approval, answer) => {
  const allowed = context.me.may_approve;
  return el("div", { class: "card block" },
    el("p", null, el("strong", null, `The plan ${waiting.plan} would remove ${extent(waiting)}`), " from the pages. It is the plan of the run ", runLink(waiting.run, "sync"), "."),
    waiting.exceeded.length > 0 && el("ul", { class: "words" }, waiting.exceeded.map((limit) => el("li", null, limit))),
    approval === null
      ? el("p", { class: "note" }, "No run in Airflow waits for the answer: the run is about to ask, it was answered a moment ago, or it is a run of the command line (approve it there: pypi-mirror sync -c mirror.conf --approve PLAN).")
      : el("div", { class: "line" },
        approval.options.map((option, index) => actButton(option, answer(approval, option, waiting), { allowed, kind: index === 0 ? "main" : "danger" })),
        !allowed && el("span", { class: "muted" }, "Your login may not answer: that takes the permission to respond to what runs ask.")));
};

const PLANNED = [
  ["Project", (item) => el("a", { href: `#projects/${item.project}` }, item.project)],
  ["Loses", (item) => (item.whole ? badge("everything", "bad") : badge("some files", "warn"))],
  ["Reason", (item) => item.reason, "text"],
  ["Files", (item) => number(item.files), "number"],
  ["Size", (item) => size(item.bytes), "number"],
];

const TOMBSTONES = [
  ["File", (item) => el("span", { class: "code", title: item.path }, item.filename), "text"],
  ["Project", (item) => el("a", { href: `#projects/${item.project}` }, item.project)],
  ["Size", (item) => size(item.size), "number"],
  ["Removed", (item) => time(item.removed_at), "when"],
  ["Deleted", (item) => (item.deleted_at === null ? "never (delete-packages = false)"
    : el("span", { title: item.deleted_at }, Date.parse(item.deleted_at) <= Date.now() ? "by the next run" : ago(item.deleted_at)))],
];
