// The search over all projects, and one of them with its files.

import { get } from "../api.js";
import { badge, el } from "../dom.js";
import { pagedTable, time } from "../paged_table.js";
import { count, number, size } from "../wording.js";
import { didYouMean, showProject } from "./project.js";

const PAGE = 50;
const TYPING = 250;

export const projects = (context) => {
  const field = el("input", { type: "search", id: "query", autocomplete: "off", spellcheck: "false", maxlength: "255", placeholder: "Any part of a name" });
  const found = el("div", { class: "block" }), one = el("div", { class: "block" });
  const form = el("form", { class: "line", role: "search" }, el("label", { for: "query" }, "Project"), field, el("button", { type: "submit" }, "Look up"));
  const list = el("div", { class: "block" }, form, found);
  let searched = null, timer = null, turn = 0;

  const search = () => {
    clearTimeout(timer);
    const query = field.value.trim();
    if (query === searched) return;
    searched = query;
    // Answers may overtake each other; each search has a place of its own, and the newest is shown.
    const place = el("div", { class: "block" });
    const mine = (turn += 1);
    const done = pagedTable(place, {
      caption: query ? `Projects with ${query} in their name` : "Projects",
      columns: COLUMNS,
      fetchPage: (after) => get("projects", { query, after, limit: PAGE }),
      nothing: ({ similar }) => query === "" ? "The mirror has no project yet. “Sync now” on the overview starts the first sync."
        : [`No project has “${query}” in its name. `, didYouMean(similar), "“Look up” says whether a filter keeps it out."],
    });
    if (found.childElementCount === 0) found.replaceChildren(place);
    done.then(() => mine === turn && found.replaceChildren(place));
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, TYPING);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (name) location.hash = `projects/${encodeURIComponent(name)}`;
  });

  let made = false;
  return {
    name: "projects",
    label: "Projects",
    open(panel, name) {
      if (!made) panel.append(list, one);
      made = true;
      list.hidden = name !== null;
      one.hidden = name === null;
      if (name === null) {
        one.replaceChildren();
        search();
      } else {
        showProject(context, one, name);
      }
    },
    close() {
      searched = null;
    },
  };
};

const COLUMNS = [
  ["Project", (item) => el("a", { href: `#projects/${item.project}` }, item.display_name)],
  ["Status", (item) => badge(item.status, item.status === "active" ? "good" : "warn")],
  ["Files", (item) => number(item.files), "number"],
  ["Size", (item) => size(item.bytes), "number"],
  ["Left out by filters", (item) => (item.dropped_files ? `${count(item.dropped_files, "file")}, ${size(item.dropped_bytes)}` : "–"), "number"],
  ["Synced", (item) => time(item.synced_at), "when"],
];
