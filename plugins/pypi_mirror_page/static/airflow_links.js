// Links out of the frame into Airflow's interface. The frame's sandbox blocks links to there and new windows,
// but the page around us has our origin: it follows a link of its own.

import { el } from "./dom.js";
import { moment } from "./wording.js";

const ROOT = new URL("../", new URL(".", location.href));

const surrounding = () => {
  try {
    return parent !== window && parent.document ? parent : null;
  } catch {
    return null;
  }
};

const follow = (event) => {
  const outside = surrounding();
  if (outside === null || event.button !== 0) return;
  event.preventDefault();
  const link = outside.document.createElement("a");
  link.href = event.currentTarget.href;
  if (event.ctrlKey || event.metaKey || event.shiftKey) link.target = "_blank";
  outside.document.body.append(link);
  link.click();
  link.remove();
};

/** A link to `path`, relative to Airflow's root. */
export const airflowLink = (path, ...text) =>
  el("a", { href: new URL(path, ROOT).href, target: "_top", onclick: follow }, ...text);

/** What a run is called: how it was started and when; its id says the same at three times the length. */
export const runName = (type, started) => (started ? `${type} ${moment(started)}` : type);

const DAGS = { audit: "pypi_mirror_audit", cooldown: "pypi_mirror_cooldown" };

/** A run of the ledger, as a link where Airflow has it. */
export const runLink = ({ text, airflow_id: id }, kind, started) => {
  if (id === null) return el("span", { class: "words" }, runName(text, started));
  const link = airflowLink(`dags/${DAGS[kind] ?? "pypi_mirror"}/runs/${encodeURIComponent(id)}`, runName(text, started));
  link.title = id;
  return link;
};

/** Have Airflow's address name the part of the page that is shown, so that it can be reloaded and shared. */
export const shareAddress = () => {
  const outside = surrounding();
  if (outside === null || !outside.location.pathname.endsWith(location.pathname)) return;
  const { pathname, search } = outside.location;
  outside.history.replaceState(outside.history.state, "", `${pathname}${search}${location.hash}`);
};
