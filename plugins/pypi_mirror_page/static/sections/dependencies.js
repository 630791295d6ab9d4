// What [allowlist] requires: how much, which branches cost most, and what nothing here meets.

import { get } from "../api.js";
import { badge, el, facts } from "../dom.js";
import { load } from "../loading.js";
import { due, pagedTable, table } from "../paged_table.js";
import { count, number, size } from "../wording.js";

const PAGE = 100;

export const dependencies = () => {
  const sums = el("div", { class: "block" }), unmet = el("div", { class: "block" });
  let made = false;
  return {
    name: "dependencies",
    label: "Dependencies",
    open(panel) {
      if (!made) {
        panel.append(
          el("p", { class: "muted" }, "Projects that [allowlist] names, and all that these require in turn."),
          sums, el("h3", null, "Not met here"), unmet);
        made = true;
      }
      load(sums, async () => known(await get("dependencies")));
      pagedTable(unmet, {
        caption: "Requirements that nothing here meets",
        columns: UNMET,
        fetchPage: (after) => get("dependencies/unmet", { after, limit: PAGE }),
        nothing: "The mirror meets every requirement.",
      });
    },
  };
};

const known = (found) => {
  if (found === null) return el("p", { class: "note", "data-tone": "warn" }, "Dependencies are not followed any more: [dependencies] follow is not yes.");
  const { counts, branches } = found;
  return [
    !counts.complete && el("p", { class: "note", "data-tone": "info" }, "[allowlist], a filter or a page has changed since dependencies were followed, so what is required may change too: the next sync follows them."),
    facts([
      ["Named by [allowlist]", count(counts.named, "project")],
      ["Required by these", count(counts.required, "other project")],
      ["No longer required", counts.leaves_at === null ? null
        : [count(counts.no_longer_required, "project"), "; the first leaves ", due(counts.leaves_at, "with the next sync")]],
      ["Not met here", count(counts.unmet, "requirement")],
    ]),
    el("h3", null, "What costs most"),
    el("p", { class: "muted" }, "How much smaller the mirror would be without a project: its own files count, and the files of projects that nothing else requires. ",
      "To leave out a project that others require, name it in ", el("code", null, "[dependencies] stop-at"), ". To leave out one that is marked as named, take it out of ", el("code", null, "[allowlist]"), "."),
    branches.length > 0 && table("The projects without which the mirror would be smaller by the most bytes", BRANCHES, branches),
    branches.length === 0 && el("p", { class: "empty" }, "No file is here yet."),
  ];
};

const projectLink = (name) => el("a", { href: `#projects/${encodeURIComponent(name)}` }, name);

const BRANCHES = [
  ["Project", (branch) => [projectLink(branch.project), branch.named && [" ", badge("named", "info")]], "name"],
  ["Saved without it", (branch) => size(branch.bytes), "number"],
  ["Its own files", (branch) => size(branch.own_bytes), "number"],
  ["Projects saved", (branch) => number(branch.projects), "number"],
];

const UNMET = [
  ["Requirement", (unmet) => el("span", { class: "code words" }, unmet.what), "text"],
  ["Project", (unmet) => projectLink(unmet.project), "name"],
  ["Why", (unmet) => el("span", { class: "words" }, unmet.reason), "text"],
];

/** `[allowlist] > app > lib`: the shortest way to a project, each a link to it. */
export const chainTo = (chain) => ["[allowlist]", chain.map((name) => [" › ", projectLink(name)])];

/** Of one project: who requires it, and what it requires. */
export const requirements = (name) => {
  const path = `projects/${encodeURIComponent(name)}`;
  const by = el("div", { class: "block" }), of = el("div", { class: "block" });
  const list = (place, kind, caption, whose, nothing) => pagedTable(place, {
    caption, columns: [["Project", (each) => projectLink(each[0][whose]), "name"], ...REQUIREMENT],
    fetchPage: (after) => get(`${path}/${kind}`, { after, limit: PAGE }), nothing,
  });
  list(by, "required-by", `Who requires ${name}`, "project", "No project that is followed requires it.");
  list(of, "requires", `What ${name} requires`, "requires", "Its releases require nothing.");
  return [el("h3", null, "Required by"), by, el("h3", null, "Requires"), of];
};

const versions = ({ first, last, releases, extra, to_build }) => [
  first === last ? first : `${first} to ${last}`, releases > 1 && ` (${count(releases, "release")})`,
  extra && [" with ", el("code", null, `[${extra}]`)], to_build && " to build",
];

const REQUIREMENT = [
  ["Requirement", (each) => each.map(({ text }) => el("div", { class: "code words" }, text)), "text"],
  ["By its releases", (each) => each.map((one) => el("div", { class: "words" }, versions(one))), "text"],
];
