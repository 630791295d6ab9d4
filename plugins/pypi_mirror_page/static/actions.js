// Buttons that change something: disabled for read-only access, with a question where it matters.

import { ApiError } from "./api.js";
import { el } from "./dom.js";

/** A button that calls `act` and is disabled meanwhile; `allowed` is false for read-only access. `ready` says
 * whether the button can be used again. */
export const actionButton = (label, act, { allowed, kind, name, ready = () => true } = {}) => {
  const button = el("button", { type: "button", class: kind, "aria-label": name, disabled: !allowed,
    "aria-describedby": allowed ? null : "may-not", title: allowed ? null : "Read-only access" }, label);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await act(button);
    } finally {
      button.disabled = !ready();
    }
  });
  return button;
};

/** Do `work` and report its result in `place`. */
export const report = async (place, announce, work) => {
  try {
    const words = await work();
    if (words === null) return false;
    place.replaceChildren(el("p", { class: "note", "data-tone": "good" }, words));
    announce(place.textContent);
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    place.replaceChildren(el("p", { class: "alert", role: "alert" }, el("span", null, el("strong", null, `${error.title}. `), error.message)));
    return false;
  }
};

/** Ask for a line of text before going on; resolves to it, or to null. */
export const asked = async ({ field, most, ...question }) => {
  const input = el("input", { type: "text", id: "answer", required: true, pattern: ".*\\S.*", maxlength: String(most), autocomplete: "off" });
  const sure = await confirmed({ ...question, more: [el("label", { for: "answer" }, field), input], first: input });
  return sure ? input.value.trim() : null;
};

/** Ask whether to go on; resolves to true or false. The frame's sandbox has no `confirm()`. */
export const confirmed = ({ title, words, label, kind = "main", more = [], first = null }) =>
  new Promise((resolve) => {
    const cancel = el("button", { type: "submit", value: "no", formnovalidate: true }, "Cancel");
    const dialog = el("dialog", { "aria-labelledby": "asked" },
      el("form", { method: "dialog" },
        el("h2", { id: "asked" }, title),
        words.map((line) => el("p", { class: "words" }, line)),
        more,
        el("div", { class: "line" }, cancel, el("button", { type: "submit", value: "yes", class: kind }, label))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    (first ?? cancel).focus();
  });
