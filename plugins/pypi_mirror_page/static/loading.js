// What a part of the page shows while it loads, when that fails, and when there is nothing.

import { ApiError } from "./api.js";
import { el } from "./dom.js";

export const errorBox = (error, again) =>
  el("div", { class: "alert", role: "alert" },
    el("p", null, el("strong", null, `${error.title}. `), error.message),
    again && el("button", { type: "button", onclick: again }, "Try again"));

/** Fill `place` with what `load` gives, or with the error and a way to try again. Returns whether it worked. */
export const load = async (place, load_) => {
  place.setAttribute("aria-busy", "true");
  if (place.childElementCount === 0) place.append(el("p", { class: "muted" }, "Loading …"));
  try {
    place.replaceChildren(...[await load_()].flat(Infinity).filter(Boolean));
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    place.replaceChildren(errorBox(error, () => load(place, load_)));
    return false;
  } finally {
    place.removeAttribute("aria-busy");
  }
};

export const empty = (...words) => el("p", { class: "empty" }, ...words);
