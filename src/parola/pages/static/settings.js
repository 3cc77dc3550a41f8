/**
 * What a reader chose of a page's looks: by the address, else as remembered on this device.
 *
 * A choice in the address is for this window only; one made on the page is remembered.
 */

/**
 * @typedef {object} Choice
 * @property {string} fallback
 * @property {(text: string) => boolean} allows
 */

/** A choice out of a few words; the first one is taken where nothing is chosen. */
export const oneOf = (...words) => ({
  fallback: words[0],
  allows: (text) => words.includes(text),
});

/** A whole number, or "" for what the page finds best. */
export const wholeNumber = (least, most, fallback = "") => ({
  fallback,
  allows: (text) =>
    text === "" ? fallback === "" : /^\d+$/.test(text) && +text >= least && +text <= most,
});

export class Settings {
  #key;
  #choices;
  #changed;
  #values = {};

  /**
   * @param {string} key  Where they are remembered.
   * @param {Record<string, Choice>} choices
   * @param {(values: Record<string, string>) => void} changed  Called at once, and on each change.
   */
  constructor(key, choices, changed) {
    this.#key = key;
    this.#choices = choices;
    this.#changed = changed;
    const query = new URLSearchParams(location.search);
    const kept = recall(key);
    for (const [name, { fallback, allows }] of Object.entries(choices)) {
      const wishes = [query.get(name), kept[name], fallback];
      this.#values[name] = wishes.find((wish) => typeof wish === "string" && allows(wish));
    }
    changed(this.values);
  }

  get values() {
    return { ...this.#values };
  }

  /** Takes a choice made on the page, and remembers it; one that is not allowed is ignored. */
  set(name, value) {
    if (!this.#choices[name]?.allows(value) || this.#values[name] === value) return;
    this.#values[name] = value;
    keep(this.#key, { ...recall(this.#key), [name]: value });
    this.#changed(this.values);
  }

  /** Lets every control of a form whose name is a choice show it and change it. */
  bind(form) {
    for (const control of form.elements) {
      if (control.name in this.#values) control.value = this.#values[control.name];
    }
    form.addEventListener("input", ({ target }) => this.set(target.name, target.value));
    form.addEventListener("submit", (event) => event.preventDefault());
  }
}

// Where a browser forbids storage, even asking throws; choices then last as long as the page.

function recall(key) {
  try {
    const kept = JSON.parse(localStorage.getItem(key));
    return kept && typeof kept === "object" ? kept : {};
  } catch {
    return {};
  }
}

function keep(key, values) {
  try {
    localStorage.setItem(key, JSON.stringify(values));
  } catch {
    // See above.
  }
}
