// Light or dark, as JupyterLab has it; elsewhere as the editor or the browser has it.

const WATCHED = ["data-jp-theme-light", "class", "data-vscode-theme-kind"];

export function isDark(asked) {
  if (asked === "dark" || asked === "light") return asked === "dark";
  const { body } = document;
  if (body.dataset.jpThemeLight !== undefined) return body.dataset.jpThemeLight === "false";
  if (body.dataset.vscodeThemeKind !== undefined) return body.dataset.vscodeThemeKind.includes("dark");
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Call `changed` whenever the theme may be another; returns what ends that. */
export function watchTheme(changed) {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, { attributes: true, attributeFilter: WATCHED });
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    media.removeEventListener("change", changed);
  };
}

/** A colour "#rrggbb" that lets through what is behind it. */
export function withAlpha(colour, alpha) {
  return colour + Math.round(alpha * 255).toString(16).padStart(2, "0");
}
