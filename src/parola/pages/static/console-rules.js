/** The lists of what is always put right and what is never shown, in a room and everywhere. */

import { change, settings } from "./operate.js";

const $ = (id) => document.getElementById(id);

const same = (one, other) => one.toLowerCase() === other.toLowerCase();

export class Rules {
  #room;
  #by;
  #report;

  /**
   * @param {object} parts
   * @param {() => string} parts.room  The open room.
   * @param {() => string} parts.by    Who the operator is.
   * @param {(work: () => Promise<void>) => Promise<boolean>} parts.report  Does, and tells of failures.
   */
  constructor({ room, by, report }) {
    this.#room = room;
    this.#by = by;
    this.#report = report;
    $("new-rule").addEventListener("submit", (event) => {
      const { heard, shown, scope } = fieldsOf(event);
      this.add(scope === "event" ? "" : this.#room(), { heard, shown }).then(() => event.target.reset());
    });
    $("new-blocked").addEventListener("submit", (event) => {
      const { word, scope } = fieldsOf(event);
      this.#alter(scope === "event" ? "" : this.#room(), (now) => {
        if (!now.blocked.some((other) => same(other, word))) now.blocked.push(word);
      }).then(() => event.target.reset());
    });
    for (const name of ["language", "beside"]) {
      $(name).addEventListener("change", ({ target }) =>
        this.#alter(this.#room(), (now) => (now[name] = target.value.trim() || null)),
      );
    }
    $("keep").addEventListener("change", ({ target }) =>
      this.#alter(this.#room(), (now) => (now.keep_recordings = target.checked)),
    );
  }

  /** Shows what is set now. */
  async load() {
    await this.#report(async () => {
      const room = this.#room();
      const [here, everywhere] = [await settings(room), await settings("")];
      if (room === this.#room()) this.#show(here, everywhere);
    });
  }

  /** Puts a rule before all others, in the place of one for the same words. */
  add(room, { heard, shown }) {
    return this.#alter(room, (now) => {
      now.replacements = now.replacements.filter((rule) => !same(rule.heard, heard));
      now.replacements.unshift({ heard, shown });
    });
  }

  async #alter(room, alter) {
    // Where it was refused, the reason stays to be read.
    if (await this.#report(() => change(room, alter, this.#by()))) await this.load();
  }

  #show(here, everywhere) {
    for (const name of ["language", "beside"]) {
      if (document.activeElement !== $(name)) $(name).value = here[name] ?? "";
    }
    $("keep").checked = here.keep_recordings;
    const scopes = [
      [this.#room(), here, ""],
      ["", everywhere, " (every room)"],
    ];
    $("rules").replaceChildren(
      ...scopes.flatMap(([room, { replacements }, where]) =>
        replacements.map(({ heard, shown }) =>
          item(`${heard} → ${shown}${where}`, () =>
            this.#alter(room, (now) => {
              now.replacements = now.replacements.filter((rule) => rule.heard !== heard);
            }),
          ),
        ),
      ),
    );
    $("blocked").replaceChildren(
      ...scopes.flatMap(([room, { blocked }, where]) =>
        blocked.map((word) =>
          item(`${word}${where}`, () =>
            this.#alter(room, (now) => (now.blocked = now.blocked.filter((one) => one !== word))),
          ),
        ),
      ),
    );
  }
}

function fieldsOf(event) {
  event.preventDefault();
  return Object.fromEntries(new FormData(event.target));
}

function item(text, remove) {
  const made = document.createElement("li");
  const words = document.createElement("span");
  words.textContent = text;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Remove";
  button.setAttribute("aria-label", `Remove ${text}`);
  button.addEventListener("click", remove);
  made.append(words, button);
  return made;
}
