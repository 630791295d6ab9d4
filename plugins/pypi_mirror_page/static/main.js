// Puts the page together: who is logged in, the tabs, and what is polled.

import { get, ApiError } from "./api.js";
import { badge, show } from "./dom.js";
import { Poll } from "./poll.js";
import { audit } from "./sections/audit.js";
import { backlog } from "./sections/backlog.js";
import { clients } from "./sections/clients.js";
import { configuration } from "./sections/configuration.js";
import { cooldown } from "./sections/cooldown.js";
import { dependencies } from "./sections/dependencies.js";
import { history } from "./sections/history.js";
import { overview } from "./sections/overview.js";
import { projects } from "./sections/projects.js";
import { removals } from "./sections/removals.js";
import { Tabs } from "./tabs.js";
import { followTheme } from "./theme.js";

const EVERY = 15;

const byId = (id) => document.getElementById(id);

/** What every part of the page has: who is logged in, how to reach screen readers, and the last overview. */
const context = {
  me: { name: "", may_act: false, may_approve: false, follows: false },
  latest: null,
  announce(words) { byId("said").textContent = words; },
  listeners: new Set(),
};

const showState = ({ verdict: { worst }, running, waiting }) => {
  const works = running !== null && waiting?.run !== running && worst.state !== "first-sync";
  show(byId("state"), [worst, works], () => [badge(worst.headline, worst.tone), works && badge("A run is under way", "info")]);
};

const look = async (tabs) => {
  let trouble = null;
  try {
    const state = context.latest = await get("overview");
    showState(state);
    tabs.tally("backlog", state.backlog, state.parked > 0 ? "bad" : "warn", "projects on the backlog");
    tabs.tally("removals", state.waiting === null ? 0 : 1, "warn", "plan is awaiting approval");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    trouble = error;
    show(byId("state"), error.title, () => [badge(error.title, "bad")]);
  }
  for (const listener of context.listeners) listener(context.latest, trouble);
};

const introduce = async () => {
  try {
    context.me = await get("me");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The overview says it, too, and offers to try again.
    return false;
  }
  if (!context.me.may_act) {
    byId("may-not").textContent = `${context.me.name || "Your login"} has read-only access: actions require the permission to run the DAG pypi_mirror.`;
    byId("may-not").hidden = false;
  }
  return true;
};

followTheme();
const introduced = await introduce();
const parts = [overview, history, backlog, cooldown, removals, audit, projects, ...(context.me.follows ? [dependencies] : []), configuration, clients];
const poll = new Poll(() => look(tabs), () => EVERY);
// Buttons depend on who is logged in: where that was unknown at the start, the page starts again.
context.refresh = () => (introduced ? poll.now() : location.reload());
const tabs = new Tabs(byId("tabs"), byId("panels"), parts.map((part) => part(context)));
poll.start();
