// New files that no page lists yet: which, until when, and lifting their cooldown.

import { airflowLink } from "../airflow_links.js";
import { get, post } from "../api.js";
import { badge, el } from "../dom.js";
import { due, pagedTable, time } from "../paged_table.js";
import { actionButton, asked, report } from "../actions.js";
import { count, number, size } from "../wording.js";

const PAGE = 100;
const TYPING = 250;
const MOST_REASON = 500;

export const cooldown = (context) => {
  const outcome = el("div"), found = el("div", { class: "block" });
  const allowed = context.me.may_act;
  let chosen = new Map(), searched = null, timer = null, turn = 0;

  const field = el("input", { type: "search", id: "held", autocomplete: "off", spellcheck: "false", maxlength: "255", placeholder: "Any part of a project or file" });
  const liftChosen = actionButton("Lift cooldown of selected", () => lift([...chosen.values()]), { allowed, kind: "main", ready: () => chosen.size > 0 });

  const follow = () => {
    liftChosen.disabled = !allowed || chosen.size === 0;
    liftChosen.textContent = chosen.size === 0 ? "Lift cooldown of selected" : `Lift cooldown of ${number(chosen.size)} selected`;
  };

  const choose = (item, yes) => {
    if (yes) chosen.set(`${item.project}/${item.filename}`, item);
    else chosen.delete(`${item.project}/${item.filename}`);
    follow();
  };

  const refresh = async () => {
    clearTimeout(timer);
    const query = searched = field.value.trim();
    chosen = new Map();
    follow();
    // Answers may overtake each other; each search has a place of its own, and the newest is shown.
    const place = el("div", { class: "block" });
    const mine = (turn += 1);
    const done = pagedTable(place, {
      caption: query ? `Files in cooldown with ${query} in their name or project` : "Files in cooldown",
      columns: columns({ choose, lift, allowed }),
      fetchPage: (after) => get("cooldown", { query, after, limit: PAGE }),
      nothing: query ? `No file in cooldown has “${query}” in its name or project.`
        : ["No file is in cooldown. With ", el("code", null, "[cooldown] exclude-newer"), ", new files wait here before pages list them."],
    });
    if (found.childElementCount === 0) found.replaceChildren(place);
    await done;
    if (mine === turn) found.replaceChildren(place);
  };

  const lift = async (items) => {
    const reason = await asked({
      title: `Lift the cooldown of ${count(items.length, "file")}?`,
      words: [`${items.slice(0, 3).map((item) => item.filename).join(", ")}${items.length > 3 ? ` and ${number(items.length - 3)} more` : ""}: clients can install them as soon as a run has listed them, before their cooldown is over.`],
      field: "Reason (kept in Airflow’s audit log)", most: MOST_REASON, label: "Lift cooldown",
    });
    if (reason === null) return;
    await report(outcome, context.announce, async () => {
      const { run } = await post("cooldown/lift", { files: items.map(({ project, filename }) => ({ project, filename })), reason });
      await refresh();
      context.refresh();
      return [`Cooldown lifted: ${count(items.length, "file is", "files are")} listed by the run `, airflowLink(run.link, run.run_id),
        run.paused ? ", which starts when somebody switches on the DAG pypi_mirror_cooldown; a sync lists them, too." : "."];
    });
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => field.value.trim() !== searched && refresh(), TYPING);
  });
  let made = false;
  return {
    name: "cooldown",
    label: "Cooldown",
    open(panel, query) {
      if (!made) {
        panel.append(
          el("p", { class: "muted" }, "These files are downloaded and verified; pages list them when they are due."),
          el("div", { class: "line", role: "search" }, el("label", { for: "held" }, "Find"), field, liftChosen), outcome, found);
        made = true;
      }
      if (query !== null) field.value = query;
      refresh();
    },
    close: () => outcome.replaceChildren(),
  };
};

const columns = ({ choose, lift, allowed }) => [
  [el("span", { class: "unseen" }, "Select"), (item) => item.lifted_at === null && el("input", { type: "checkbox", disabled: !allowed, "aria-describedby": allowed ? null : "may-not",
    "aria-label": `Select ${item.filename}`, onchange: (event) => choose(item, event.target.checked) }), "tick"],
  ["File", (item) => el("span", { class: "code words" }, item.filename), "text"],
  ["Project", (item) => el("a", { href: `#projects/${item.project}` }, item.project), "name"],
  ["Size", (item) => (item.size === null ? "–" : size(item.size)), "number"],
  ["Listed from", (item) => time(item.due_at), "when"],
  ["State", (item) => heldState(item), "text"],
  [el("span", { class: "unseen" }, "Action"), (item) => item.lifted_at === null && actionButton("Lift cooldown", () => lift([item]), { allowed, name: `Lift the cooldown of ${item.filename}` })],
];

/** How long a file waits, or who has lifted its cooldown. */
export const heldState = (item) => (item.lifted_at === null
  ? [badge("in cooldown", "info"), " listed ", due(item.due_at, "by the next run"), item.size === null && ", not downloaded yet"]
  : [badge("lifted", "good"), ` by ${item.lifted_by}: ${item.reason}`]);
