// What the server says of the mirror first, and what else is so: {state, tone, headline, advice, see} each.

import { el } from "./dom.js";

const SEE = { removals: "Review the removals", backlog: "See the backlog", history: "See the runs" };

const advice = ({ advice: words, see }) => [words, see !== null && [" ", el("a", { href: `#${see}` }, SEE[see])]];

export const headline = (finding) => [
  el("span", { class: "dot", "aria-hidden": "true" }),
  el("p", { class: "headline" }, finding.headline),
  finding.advice !== "" && el("p", { class: "detail" }, advice(finding)),
];

export const note = (finding) =>
  el("li", { class: "note", "data-tone": finding.tone }, el("strong", null, `${finding.headline}. `), advice(finding));
