// What a plan would take away and a person has to approve, and what was taken away and is still on the disk.

import { airflowLink, runLink } from "../airflow_links.js";
import { answerRun, get } from "../api.js";
import { badge, el } from "../dom.js";
import { pagedTable, time } from "../paged_table.js";
import { actButton, confirmed, tell } from "../pressing.js";
import { empty, load } from "../trouble.js";
import { ago, count, number, size } from "../wording.js";

const PAGE = 100;

export const removals = (context) => {
  const outcome = el("div"), plan = el("div", { class: "block" }), listed = el("div", { class: "block" });
  const gone = el("div", { class: "block" });

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
      plan.replaceChildren(el("p", { class: "muted" }, "The run goes on."));
      listed.replaceChildren();
      context.refresh();
      return [approves ? "Approved: " : "Rejected: ", airflowLink(approval.link, approval.run_id), approves ? " goes on." : " ends."];
    });
  };

  const refresh = () => Promise.all([
    load(plan, async () => {
      const { waiting, approval } = await get("removals", { limit: 1 });
      if (waiting === null) {
        listed.replaceChildren();
        return empty("No plan waits for approval. Runs that would remove more than [removal] allows stop here until somebody decides.");
      }
      pagedTable(listed, {
        caption: "What the plan would remove",
        columns: PLANNED,
        fetchPage: (after) => get("removals", { after, limit: PAGE }),
        nothing: "The plan removes nothing any more.",
      });
      return waitingCard(context, waiting, approval, answer);
    }),
    pagedTable(gone, {
      caption: "Removed files that are still on the disk",
      columns: TOMBSTONES,
      fetchPage: (after) => get("tombstones", { after, limit: PAGE }),
      nothing: "Nothing is on the disk that no page lists.",
    }),
  ]);

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
        made = true;
      }
      refresh();
    },
    close: () => outcome.replaceChildren(),
  };
};

const extent = (waiting) => `${count(waiting.files, "file")} of ${count(waiting.projects, "project")} (${size(waiting.bytes)})`;

const waitingCard = (context, waiting, approval, answer) => {
  const allowed = context.me.may_approve;
  return el("div", { class: "card block" },
    el("p", null, el("strong", null, `The plan ${waiting.plan} would remove ${extent(waiting)}`), " from the pages. It is the plan of the run ", runLink(waiting.run, "sync"), "."),
    waiting.exceeded.length > 0 && el("ul", { class: "words" }, waiting.exceeded.map((limit) => el("li", null, limit))),
    approval === null
      ? el("p", { class: "note" }, "No run in Airflow waits for the answer: it was answered a moment ago, or it is a run of the command line (pypi-mirror plan and pypi-mirror sync --approve).")
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
