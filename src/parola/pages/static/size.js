/**
 * Lets a reader choose the size of the text, and remembers it on this device.
 *
 * Large text is sized by the window, which a browser's own zoom does not change; so the page must
 * offer what WCAG 1.4.4 asks for itself.
 */

const STEPS = [0.5, 0.6, 0.75, 0.87, 1, 1.25, 1.5, 2, 2.5, 3];
const NORMAL = STEPS.indexOf(1);
const KEY = "parola.size";

/**
 * @param {object} parts
 * @param {HTMLButtonElement} parts.smaller
 * @param {HTMLButtonElement} parts.larger
 * @param {() => void} parts.changed  Called after each change.
 */
export function offerSizes({ smaller, larger, changed }) {
  let step = recall();

  const apply = () => {
    document.documentElement.style.setProperty("--size", String(STEPS[step]));
    smaller.disabled = step === 0;
    larger.disabled = step === STEPS.length - 1;
    changed();
  };
  const go = (to) => {
    step = Math.min(Math.max(to, 0), STEPS.length - 1);
    keep(step);
    apply();
  };
  const keys = {
    "+": () => go(step + 1),
    "=": () => go(step + 1),
    "-": () => go(step - 1),
    0: () => go(NORMAL),
  };

  smaller.addEventListener("click", () => go(step - 1));
  larger.addEventListener("click", () => go(step + 1));
  document.addEventListener("keydown", (event) => {
    // With a modifier these are the browser's own.
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    keys[event.key]?.();
  });
  apply();
}

// Where a browser forbids storage, even asking throws; the size then lasts as long as the page.

function recall() {
  try {
    const index = STEPS.indexOf(Number(localStorage.getItem(KEY)));
    return index < 0 ? NORMAL : index;
  } catch {
    return NORMAL;
  }
}

function keep(step) {
  try {
    localStorage.setItem(KEY, String(STEPS[step]));
  } catch {
    // See above.
  }
}
