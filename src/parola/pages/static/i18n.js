/**
 * A page's words in the reader's language.
 *
 * Another language is one more file in texts/, and its name in `LANGUAGES`.
 */

export const LANGUAGES = { en: "English", it: "Italiano" };

/** Returns the language to use: the one that was chosen, else the browser's first one we know. */
export function languageFor(chosen) {
  const wishes = [chosen, ...navigator.languages].map((tag) => String(tag).split("-")[0]);
  return wishes.find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? "en";
}

let texts = {};

/** Loads a language, and writes it into every element that names a text. */
export async function speak(language) {
  texts = (await import(`./texts/${language}.js`)).default;
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) {
    element.textContent = t(element.dataset.t);
  }
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  }
}

/**
 * Returns a text; `{name}` in it is replaced.
 *
 * @param {string} key  A text nobody has written is shown as its key.
 * @param {Record<string, string|number>} [values]
 */
export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
