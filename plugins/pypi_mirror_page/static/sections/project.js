// One project: what the mirror holds of it, why each file of upstream's is mirrored or left out, and syncing it.

import { airflowLink } from "../airflow_links.js";
import { get, post } from "../api.js";
import { badge, el, facts } from "../dom.js";
import { date, pagedTable, table, time } from "../paged_table.js";
import { actionButton, report } from "../actions.js";
import { empty, load } from "../loading.js";
import { ago, count, number, size } from "../wording.js";
import { heldState } from "./cooldown.js";
import { chainTo, requirements } from "./dependencies.js";

const PAGE = 100;
const STATES = { listed: ["listed", "good"], held: ["in cooldown", "info"], tombstone: ["removed, on disk", "warn"], missing: ["not downloaded yet", "info"], absent: ["not on the mirror", null] };

export const showProject = (context, place, name) => {
  const path = `projects/${encodeURIComponent(name)}`;
  const outcome = el("div"), held = el("div", { class: "block" }), why = el("div", { class: "block" });
  const explain = el("button", { type: "button", class: "main" }, "Explain every file");
  explain.addEventListener("click", async () => {
    explain.disabled = true;
    await load(why, async () => explanation(await get(`${path}/explanation`)));
    explain.disabled = false;
    why.querySelector("h3, .alert")?.scrollIntoView({ block: "nearest" });
  });
  const sync = actionButton("Sync now", () => report(outcome, context.announce, async () => {
    const { run } = await post("sync", { projects: [name] });
    context.refresh();
    return ["The run ", airflowLink(run.link, run.run_id), ` syncs ${name} and verifies its files`, run.paused ? " when somebody switches on the DAG pypi_mirror." : "."];
  }), { allowed: context.me.may_act });
  place.replaceChildren(
    el("p", null, el("a", { href: "#projects" }, "All projects")),
    el("div", { class: "line" }, el("h2", { class: "words" }, name), explain, sync),
    outcome, held, why);
  load(held, async () => {
    const project = await get(path, { limit: PAGE });
    return project.known ? whole(context, project, path) : unknown(project);
  });
};

/** What may be meant by a name that nothing has. */
export const didYouMean = (similar) => similar.length > 0 && ["Did you mean ",
  similar.map((name, index) => [index > 0 && ", ", el("a", { href: `#projects/${name}` }, name)]), "? "];

const unknown = ({ project, selected, why, similar }) =>
  empty(`The mirror does not have ${project}. `, didYouMean(similar),
    selected ? `The filters would let it in (${why}); upstream may not have it. “Sync now” asks upstream.` : `The filters leave it out: ${why}.`);

const whole = (context, project, path) => {
  const files = el("div", { class: "block" });
  let first = project.files;
  pagedTable(files, {
    caption: `Files of ${project.project}`,
    columns: FILES,
    // The first page has come with the project.
    fetchPage: async (after) => {
      if (after !== null) return (await get(path, { after, limit: PAGE })).files;
      const page = first;
      first = { items: [], next: null };
      return page;
    },
    nothing: "The mirror has no file of this project.",
  });
  return [
    project.backlog && el("p", { class: "note", "data-tone": "warn" },
      el("strong", null, project.backlog.parked ? "Parked. " : "On the backlog. "),
      `${project.backlog.error}: ${project.backlog.reason} `, el("a", { href: "#backlog" }, "See the backlog")),
    unmet(project.unmet),
    leftOut(project.left_out),
    el("div", { class: "two" },
      el("div", { class: "card block" }, el("h3", null, "On the mirror"), facts([
        ["Selected", [badge(project.selected ? "yes" : "no", project.selected ? "good" : "warn"), ` ${project.why}`]],
        ["Required by way of", project.chain.length > 1 ? chainTo(project.chain) : null],
        ["Releases", project.partial && project.selected ? "only those that [allowlist] or a requirement asks for" : null],
        ...(project.held === null ? [["On the disk", "nothing"]] : held(project.held)),
      ])),
      el("div", { class: "card block" }, el("h3", null, "Last events upstream"), events(project.events))),
    waiting(project),
    el("h3", null, "Files"), files,
    context.me.follows && requirements(project.project),
  ];
};

const waiting = ({ project, cooldown }) => cooldown.length > 0 && [
  el("h3", null, "In cooldown"),
  table(`Files of ${project} that no page lists yet`, WAITING, cooldown),
  el("p", null, el("a", { href: `#cooldown/${project}` }, "Lift the cooldown of files")),
];

const WAITING = [
  ["File", (file) => el("span", { class: "code words" }, file.filename), "text"],
  ["State", (file) => heldState(file), "text"],
  ["Size", (file) => (file.size === null ? "–" : size(file.size)), "number"],
  ["Listed from", (file) => time(file.due_at), "when"],
];

/** What somebody asks for of the project and upstream does not have. */
const unmet = (rules) => rules.length > 0 && el("div", { class: "note", "data-tone": "warn" },
  el("strong", null, "Upstream has no file for "),
  rules.map(({ rule, by }, index) => [index > 0 && ", ", el("code", null, rule), ` (${by})`]),
  ": mistyped or removed.");

// What upstream's page has and ours lacks: refused, or not downloaded so far.
const leftOut = (parts) => parts.length > 0 && el("div", { class: "card block" },
  el("h3", null, "Left off its page"),
  el("ul", null, parts.map(({ part, error }) => el("li", { class: "words" },
    part.filename !== null && [el("span", { class: "code" }, part.filename), ": "],
    part.field !== null && [el("span", { class: "code" }, part.field), ": "],
    `${part.reason} `, error === null ? badge("refused", "warn") : badge("retried", "info")))));

const held = (project) => [
  ["Status", badge(project.status, project.status === "active" ? "good" : "warn")],
  ["Files", `${count(project.files, "file")}, ${size(project.bytes)}`],
  ["Left out", project.dropped_files ? `${count(project.dropped_files, "file")}, ${size(project.dropped_bytes)}` : "no file"],
  ["Serial", project.serial === null ? null : el("span", { title: "Upstream's event number of its page" }, number(project.serial))],
  ["Last synced", el("time", { datetime: project.synced_at, title: project.synced_at }, ago(project.synced_at))],
];

const events = (list) =>
  list.length === 0 ? el("p", { class: "muted" }, "No event since the first sync.")
    : facts(list.slice(0, 8).map((event) => [time(event.at), `${event.action}${event.version ? ` (${event.version})` : ""}, serial ${number(event.serial)}`]));

const FILES = [
  ["File", (file) => el("span", { class: "code words", title: `sha256 ${file.sha256}` }, file.filename), "text"],
  ["State", (file) => (file.removed_at === null ? badge("listed", "good") : badge("removed, on disk", "warn"))],
  ["Size", (file) => size(file.size), "number"],
  ["Uploaded", (file) => date(file.uploaded_at), "when"],
  ["Verified", (file) => date(file.verified_at), "when"],
  ["Also", (file) => [file.metadata && "metadata", file.provenance && "provenance"].filter(Boolean).join(", ") || "–"],
];

const explanation = (explained) => {
  const mirrored = explained.files.filter((file) => file.mirrored).length;
  return [
    el("h3", null, "Why each file is mirrored or left out"),
    explained.trouble !== null && el("p", { class: "note", "data-tone": "warn" }, explained.trouble),
    explained.found !== null && el("p", { class: "muted" }, "By upstream's page as last checked: ", time(explained.read_at)),
    explained.found === false && el("p", { class: "note", "data-tone": "warn" }, "Upstream has no project of this name."),
    el("p", null, explained.undecided ? badge("not known yet", "info") : badge(explained.selected ? "selected" : "left out", explained.selected ? "good" : "warn"), ` ${explained.why}. `,
      `${number(mirrored)} of ${count(explained.files.length, "file")} mirrored.`),
    explained.files.length > 0 && table(`Every file of ${explained.project}, and why it is mirrored or left out`, EXPLAINED, explained.files),
  ];
};

const EXPLAINED = [
  ["File", (file) => el("span", { class: "code words" }, file.filename), "text"],
  ["Verdict", (file) => (file.state === "held" ? badge("held", "info") : badge(file.mirrored ? "mirrored" : "left out", file.mirrored ? "good" : "warn"))],
  ["Why", (file) => reasons(file), "text"],
  ["State", (file) => badge(...STATES[file.state])],
  ["Size", (file) => (file.size === null ? "–" : size(file.size)), "number"],
];

const reasons = (file) => {
  if (file.refusals.length > 0) return file.refusals.map(({ setting, reason }) => el("div", { class: "words" },
    !reason.startsWith(setting) && [el("code", null, setting), " "], reason));
  if (file.trouble !== null) return file.trouble;
  if (file.locked_by !== null) return el("span", { class: "words" }, "upstream has removed it; the file stays because ", el("code", null, file.locked_by), " names it");
  if (file.admitted_by !== null) return el("span", { class: "words" }, el("code", null, file.admitted_by), ` asked for by ${file.asked_by}`);
  return file.upstream ? "no rule excludes it" : "upstream does not list it any more";
};
