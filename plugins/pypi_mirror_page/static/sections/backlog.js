// Projects that are not current: why, when they are tried again, and trying them now.

import { airflowLink } from "../airflow_links.js";
import { get, post } from "../api.js";
import { badge, el } from "../dom.js";
import { date, pagedTable } from "../paged_table.js";
import { actionButton, confirmed, report } from "../actions.js";
import { ago, count, number } from "../wording.js";

const PAGE = 100;
// As many as the server takes at once.
const MOST = 1000;

export const backlog = (context) => {
  const outcome = el("div"), place = el("div", { class: "block" });
  const allowed = context.me.may_act;
  let chosen = new Set(), parked = null;

  const filter = el("select", { id: "parked" },
    [["", "all"], ["false", "retried soon"], ["true", "parked"]].map(([value, words]) => el("option", { value }, words)));
  const retryChosen = actionButton("Retry selected", () => retry([...chosen]), { allowed, kind: "main", ready: () => chosen.size > 0 });
  const forgetChosen = actionButton("Forget selected", () => forget([...chosen]), { allowed, kind: "danger", ready: () => chosen.size > 0 });
  const retryAll = actionButton("Retry all", () => retryEverything(), { allowed, ready: () => place.querySelector("tbody") !== null });

  const follow = () => {
    for (const [button, verb] of [[retryChosen, "Retry"], [forgetChosen, "Forget"]]) {
      button.disabled = !allowed || chosen.size === 0;
      button.textContent = chosen.size === 0 ? `${verb} selected` : `${verb} ${number(chosen.size)} selected`;
    }
  };

  const refresh = async () => {
    chosen = new Set();
    follow();
    await pagedTable(place, {
      caption: "Projects on the backlog",
      columns: columns({ choose, retry, allowed }),
      fetchPage: (after) => get("backlog", { after, limit: PAGE, parked }),
      nothing: parked === null ? "No project has failed. A project that fails is listed here with the reason and is retried automatically."
        : "No such project is on the backlog.",
    });
    retryAll.disabled = !allowed || place.querySelector("tbody") === null;
  };

  const choose = (project, yes) => {
    if (yes) chosen.add(project);
    else chosen.delete(project);
    follow();
  };

  const everybody = async () => {
    const names = [];
    let after = null;
    do {
      const page = await get("backlog", { after, limit: 200, parked });
      names.push(...page.items.map((item) => item.project));
      after = page.next;
    } while (after !== null && names.length < MOST);
    return names.slice(0, MOST);
  };

  const retry = (projects, more = "") => report(outcome, context.announce, async () => {
    const { run } = await post("backlog/retry", { projects });
    await refresh();
    context.refresh();
    return [`${count(projects.length, "project is", "projects are")} retried by the run `, airflowLink(run.link, run.run_id),
      run.paused ? ", which starts when somebody switches on the DAG pypi_mirror." : ".", more];
  });

  const retryEverything = async () => {
    let names;
    if (!(await report(outcome, context.announce, async () => {
      names = await everybody();
      return "Asking Airflow for a run …";
    }))) return;
    await retry(names, names.length < MOST ? "" : ` These are the first ${number(MOST)}; press again after it has ended, or run “pypi-mirror backlog retry -c mirror.conf --all”.`);
  };

  const forget = async (projects) => {
    const sure = await confirmed({
      title: `Forget ${count(projects.length, "project")}?`,
      words: ["They leave the backlog and are not retried; the mirror keeps serving what it has of them. This is for projects that the filters now leave out: one that they select is refused, since it would stay behind upstream."],
      label: "Forget", kind: "danger",
    });
    return sure && report(outcome, context.announce, async () => {
      await post("backlog/forget", { projects });
      await refresh();
      context.refresh();
      return `${count(projects.length, "project has", "projects have")} left the backlog.`;
    });
  };

  filter.addEventListener("change", () => {
    parked = filter.value || null;
    refresh();
  });
  let made = false;
  return {
    name: "backlog",
    label: "Backlog",
    open(panel) {
      if (!made) {
        panel.append(el("div", { class: "line" }, el("label", { for: "parked" }, "Show"), filter, retryChosen, forgetChosen, retryAll), outcome, place);
        made = true;
      }
      refresh();
    },
    close: () => outcome.replaceChildren(),
  };
};

const columns = ({ choose, retry, allowed }) => [
  [el("span", { class: "unseen" }, "Select"), (item) => el("input", { type: "checkbox", disabled: !allowed, "aria-describedby": allowed ? null : "may-not",
    "aria-label": `Select ${item.project}`, onchange: (event) => choose(item.project, event.target.checked) }), "tick"],
  ["Project", (item) => el("a", { href: `#projects/${item.project}` }, item.display_name || item.project), "name"],
  ["State", (item) => (item.parked ? badge("parked", "bad") : item.lagging ? badge("lagging", "info") : badge("failed", "warn"))],
  ["Reason", (item) => [el("strong", null, item.error), `: ${item.reason}`], "text"],
  ["Attempts", (item) => [count(item.attempts, "attempt"), el("div", { class: "muted small" }, "since ", date(item.first_failed_at))], "when"],
  ["Next attempt", (item) => el("span", { title: item.next_try_at }, Date.parse(item.next_try_at) <= Date.now() ? "with the next run" : ago(item.next_try_at)), "when"],
  [el("span", { class: "unseen" }, "Action"), (item) => actionButton("Retry", () => retry([item.project]), { allowed, name: `Retry ${item.project}` })],
];
