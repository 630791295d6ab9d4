// A table that is loaded a page at a time, as the server has it.

import { ApiError } from "./api.js";
import { el } from "./dom.js";
import { ago, day, moment } from "./wording.js";
import { empty, load, errorBox } from "./loading.js";

export const time = (value) =>
  value ? el("time", { datetime: value, title: new Date(value).toISOString() }, moment(value)) : "–";

/** When something of the future happens; `when` is what stands there once it is due. */
export const due = (value, when) =>
  el("time", { datetime: value, title: new Date(value).toISOString() }, Date.parse(value) <= Date.now() ? when : ago(value));

/** The day alone, where the hour says nothing more. */
export const date = (value) =>
  value ? el("time", { datetime: value, title: new Date(value).toISOString() }, day(value)) : "–";

/** Columns are [heading, item => content, class]; the first is the row's heading. */
export const table = (caption, columns, items) => {
  const body = el("tbody", null, items.map((item) => row(columns, item)));
  return el("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption },
    el("table", null,
      el("caption", { class: "unseen" }, caption),
      el("thead", null, el("tr", null, columns.map(([heading, , kind]) =>
        el("th", { scope: "col", class: kind }, heading)))),
      body));
};

const row = (columns, item) => {
  const header = columns.findIndex(([, , kind]) => kind !== "tick");
  return el("tr", null, columns.map(([, content, kind], index) =>
    el(index === header ? "th" : "td", { scope: index === header && "row", class: kind }, content(item))));
};

/** `fetchPage(after)` gives {items, next}; `nothing` is what stands there when there is none, or makes it of the page. */
export const pagedTable = async (place, { caption, columns, fetchPage, nothing }) =>
  load(place, async () => {
    const first = await fetchPage(null);
    if (first.items.length === 0) return empty(typeof nothing === "function" ? nothing(first) : nothing);
    const shown = table(caption, columns, first.items);
    const foot = el("div", { class: "line" });
    offerMore(foot, shown.querySelector("tbody"), columns, fetchPage, first.next);
    return [shown, foot];
  });

const offerMore = (foot, body, columns, fetchPage, next) => {
  if (next === null) {
    foot.replaceChildren();
    return;
  }
  const button = el("button", { type: "button" }, "Show more");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const page = await fetchPage(next);
      const rows = page.items.map((item) => row(columns, item));
      body.append(...rows);
      offerMore(foot, body, columns, fetchPage, page.next);
      // The button is gone or another by now; who came here by keyboard goes on with the new rows.
      const first = rows[0]?.querySelector("a, button:enabled, input");
      (first ?? body.closest(".table")).focus();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      foot.replaceChildren(errorBox(error, () => offerMore(foot, body, columns, fetchPage, next)));
    }
  });
  foot.replaceChildren(button);
};
