// The mirror's JSON and Airflow's, with the login that the browser has.

const PATIENCE = 30000;

/** An error in words a person can use; `status` is 0 where there was no answer at all, `kind` what the
 * server calls it. */
export class ApiError extends Error {
  constructor(status, title, detail, kind = null) {
    super(detail);
    this.status = status;
    this.title = title;
    this.kind = kind;
  }
}

const said = async (answer) => {
  try {
    return await answer.json();
  } catch {
    return {};
  }
};

const trouble = async (answer) => {
  const body = await said(answer);
  const detail = typeof body.detail === "string" ? body.detail : "";
  if (answer.status === 401) return new ApiError(401, "You are no longer logged in", "Log in to Airflow again, then come back to this page.");
  if (answer.status === 403) return new ApiError(403, "Permission denied", detail || "Your login lacks a permission on the DAG pypi_mirror.");
  const kind = String(body.type ?? "").split(":").at(-1);
  const title = kind === "no-mirror-yet" ? "Nothing is mirrored yet" : body.title ?? (answer.status >= 500 ? "The mirror's page has an error" : "This was refused");
  return new ApiError(answer.status, title, detail || `Airflow's API server answered ${answer.status}; its log says more.`, kind);
};

const ask = async (path, options) => {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE), ...options });
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new ApiError(0, late ? "No answer in time" : "Airflow is unreachable",
      late ? "Airflow's API server took longer than 30 seconds to answer." : "The network is down, or Airflow's API server has stopped.");
  }
  if (!answer.ok) throw await trouble(answer);
  return answer.json();
};

const written = (method, body) => ({
  method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
});

/** `query` values that are null are left out. */
export const get = (path, query = {}) => {
  const known = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(known).toString();
  return ask(`api/${path}${text && "?"}${text}`);
};

export const post = (path, body) => ask(`api/${path}`, written("POST", body));

/** Answer what a run asks. `path` is relative to Airflow's root, which is one above this page. */
export const answerRun = (path, option) => ask(`../${path}`, written("PATCH", { chosen_options: [option] }));
