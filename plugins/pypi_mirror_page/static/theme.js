// Light or dark, as Airflow's own interface beside us is: it keeps the choice under this key.

const KEY = "theme";
const system = matchMedia("(prefers-color-scheme: dark)");

const chosen = () => {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
};

const apply = () => {
  const choice = chosen();
  const dark = choice === "dark" || (choice !== "light" && system.matches);
  document.documentElement.classList.toggle("dark", dark);
};

export const followTheme = () => {
  apply();
  // Browsers tell a page of what other pages and frames of its origin store.
  addEventListener("storage", (event) => { if (event.key === KEY || event.key === null) apply(); });
  system.addEventListener("change", apply);
};
