/** One room's lines, to be corrected where they stand; what is being corrected is never touched. */

/** How many lines stay on the page. */
const KEEP = 300;

/** Closer to the end than this, in pixels, the newest line is followed. */
const NEAR = 60;

/**
 * @typedef {object} Line
 * @property {number} seq
 * @property {number} version  The number of its newest edit, or its own.
 * @property {string} text
 * @property {boolean} struck
 * @property {boolean} edited
 */

export class Lines {
  #list;
  #pane;
  #acts;
  #lines = new Map();
  #editing = null;

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} pane  What scrolls.
   * @param {object} acts
   * @param {(line: Line, text: string) => Promise<boolean>} acts.correct  Whether it is done.
   * @param {(line: Line) => void} acts.strike
   * @param {(text: string) => void} acts.say  A note for the operator.
   */
  constructor(list, pane, acts) {
    this.#list = list;
    this.#pane = pane;
    this.#acts = acts;
    list.addEventListener("click", (event) => this.#clicked(event));
    list.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Removes everything, for another room. */
  clear() {
    this.#editing = null;
    this.#lines.clear();
    this.#list.replaceChildren();
  }

  /** Takes a final. */
  add({ seq, text, struck = false, made_by: madeBy, at, speaker, doubtful }) {
    const known = this.#lines.get(seq);
    const said = speaker ? `${speaker}: ` : "";
    const line = known ?? { seq, version: seq, said, doubtful };
    Object.assign(line, { text, struck, edited: madeBy === "corrected" });
    this.#lines.set(seq, line);
    if (known) this.#write(line);
    else this.#append(line, at);
  }

  /** Takes an edit, whoever made it. */
  edit({ type, of, text, seq }) {
    const line = this.#lines.get(of);
    if (!line || seq <= line.version) return;
    line.version = seq;
    line.struck = type === "strike";
    if (text !== undefined) {
      line.edited ||= text !== line.text;
      line.text = text;
    }
    this.#write(line);
    if (this.#editing?.line !== line || this.#editing.saving) return;
    const now = line.struck ? "struck it" : `changed it to “${line.text}”`;
    this.#acts.say(`Somebody else has ${now}. Enter saves yours, Esc keeps theirs.`);
  }

  /** Follows the newest line, where the operator is not busy further up. */
  follow() {
    if (!this.#editing) this.#pane.scrollTop = this.#pane.scrollHeight;
  }

  get #isNearEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#pane;
    return scrollHeight - scrollTop - clientHeight < NEAR;
  }

  #append(line, at) {
    const follows = this.#isNearEnd;
    const row = document.createElement("li");
    row.className = "row";
    row.dataset.seq = line.seq;
    const time = document.createElement("time");
    time.dateTime = at;
    time.textContent = new Date(at).toLocaleTimeString([], { hour12: false });
    const words = button("words", "");
    words.dir = "auto";
    row.append(time, words, button("strike", "Strike"));
    this.#list.append(row);
    this.#write(line);
    while (this.#list.childElementCount > KEEP && !this.#list.firstElementChild.contains(document.activeElement)) {
      this.#lines.delete(Number(this.#list.firstElementChild.dataset.seq));
      this.#list.firstElementChild.remove();
    }
    this.#onlyOneInTabOrder();
    if (follows) this.follow();
  }

  #write(line) {
    const row = this.#rowOf(line.seq);
    if (!row) return;
    row.toggleAttribute("data-struck", line.struck);
    row.toggleAttribute("data-edited", line.edited && !line.struck);
    const shown = line.text ? `${line.said}${line.text}` : "(a struck line)";
    const words = row.querySelector(".words");
    if (words.textContent !== shown) words.textContent = shown;
    row.querySelector(".strike").textContent = line.struck ? "Restore" : "Strike";
    row.querySelector(".strike").setAttribute(
      "aria-label",
      `${line.struck ? "Restore" : "Strike"} “${shown.slice(0, 40)}”`,
    );
  }

  #rowOf(seq) {
    return this.#list.querySelector(`[data-seq="${seq}"]`);
  }

  #lineOf(element) {
    return this.#lines.get(Number(element.closest(".row")?.dataset.seq));
  }

  #clicked({ target }) {
    const line = this.#lineOf(target);
    if (line && target.matches(".words")) this.#open(line);
    if (line && target.matches(".strike")) this.#acts.strike(line);
  }

  #pressed(event) {
    const { key, target } = event;
    const line = this.#lineOf(target);
    if (!line) return;
    if (target.matches("textarea")) {
      if (key === "Enter" && !event.isComposing) this.#save();
      else if (key === "Escape") this.#close();
      else return;
    } else if (key === "ArrowUp" || key === "ArrowDown") {
      const row = target.closest(".row");
      const next = key === "ArrowUp" ? row.previousElementSibling : row.nextElementSibling;
      this.#focus(next);
    } else if (key === "Home") this.#focus(this.#list.firstElementChild);
    else if (key === "End") this.#focus(this.#list.lastElementChild);
    else if (key === "Delete" && target.matches(".words")) this.#acts.strike(line);
    else return;
    event.preventDefault();
  }

  #focus(row) {
    if (!row) return;
    for (const other of this.#list.querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
    for (const one of row.querySelectorAll("button")) one.tabIndex = 0;
    row.querySelector(".words").focus();
  }

  /** With hundreds of lines the Tab key would never leave the list. */
  #onlyOneInTabOrder() {
    if (this.#list.contains(document.activeElement)) return;
    for (const one of this.#list.querySelectorAll("[tabindex='0']")) one.tabIndex = -1;
    for (const one of this.#list.lastElementChild.querySelectorAll("button")) one.tabIndex = 0;
  }

  #open(line) {
    this.#close();
    if (!line.text) return;
    const words = this.#rowOf(line.seq).querySelector(".words");
    const field = document.createElement("textarea");
    field.value = line.text;
    field.rows = Math.min(6, Math.ceil(line.text.length / 50));
    field.maxLength = 2000;
    field.spellcheck = true;
    field.setAttribute("aria-label", "Correct this line");
    words.hidden = true;
    words.after(field);
    field.focus();
    this.#editing = { line, field, words, saving: false };
  }

  #close() {
    if (!this.#editing) return;
    const { field, words } = this.#editing;
    this.#editing = null;
    words.hidden = false;
    const hadFocus = document.activeElement === field;
    field.remove();
    if (hadFocus) this.#focus(words.closest(".row"));
  }

  async #save() {
    const { line, field } = this.#editing;
    const text = field.value.trim();
    if (text === line.text || !text) {
      this.#close();
      return;
    }
    this.#editing.saving = true;
    const isDone = await this.#acts.correct(line, text);
    if (this.#editing?.field !== field) return;
    this.#editing.saving = false;
    if (isDone) this.#close();
  }
}

function button(name, text) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = name;
  made.textContent = text;
  made.tabIndex = -1;
  return made;
}
