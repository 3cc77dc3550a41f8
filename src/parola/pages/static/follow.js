/**
 * Keeps the newest line in view, until a reader scrolls back; then it holds that place.
 *
 * While following, text only ever moves up. Where a guess gets shorter, the sheet it stands on keeps
 * its height until new words fill it: text that sinks back makes readers lose the line. The height is
 * set as a minimum, in advance, so that no order of painting and measuring can let the text sink.
 */

/** How long a roll-up takes. Shorter looks like a jump, longer is late. */
const GLIDE_MS = 180;

/** Closer to the end than this share of a line counts as being there. */
const NEAR_LINES = 0.6;

/**
 * A long guess that vanishes must not leave an empty screen: more than this share free for so long,
 * and the text may sink after all. Doing it at once would bounce: the next guess is on its way.
 */
const FREE_SHARE = 0.4;
const FREE_MS = 2000;

export class Follower {
  #scroller;
  #sheet;
  #content;
  #button;
  #labelOf;
  #reduced = matchMedia("(prefers-reduced-motion: reduce)");
  #following = true;
  #floor = 0;
  #freeSince = 0;
  #expected = 0;
  #shape = "";
  #missed = 0;
  #glide = null;
  #asked = false;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.scroller
   * @param {HTMLElement} parts.sheet    The only child of the scroller.
   * @param {HTMLElement} parts.content  All text, the only child of the sheet.
   * @param {HTMLElement} parts.button   Brings the reader back; shown while holding.
   * @param {(missed: number) => string} [parts.label]  The words on it.
   */
  constructor({ scroller, sheet, content, button, label = labelInEnglish }) {
    this.#scroller = scroller;
    this.#sheet = sheet;
    this.#content = content;
    this.#button = button;
    this.#labelOf = label;
    button.addEventListener("click", () => this.resume());
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#reshaped()).observe(scroller);
  }

  /** Whether the newest line is kept in view. */
  get following() {
    return this.#following;
  }

  /** Call after anything was painted. Many calls between two pictures cost one layout. */
  changed() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#settle();
    });
  }

  /** Call when a final came: a reader who scrolled back is told how many they have not seen. */
  arrived() {
    if (this.#following) return;
    this.#missed += 1;
    this.#label();
  }

  /**
   * Call when text left at the top, so that all other text stays where it is.
   *
   * @param {number} pixels
   */
  cut(pixels) {
    this.#floor = Math.max(0, this.#floor - pixels);
    this.#expected = Math.max(0, this.#expected - pixels);
    if (this.#glide) {
      this.#glide.from -= pixels;
      this.#glide.to -= pixels;
    }
    // Before the sheet shrinks, or the browser would have moved the position by itself.
    this.#scroller.scrollTop -= pixels;
    this.changed();
  }

  /** Stops following, as if a reader had scrolled back. */
  hold() {
    this.#glide = null;
    if (this.#following) this.#follow(false);
  }

  /** Writes the words on the button anew, in another language. */
  relabel() {
    this.#label();
  }

  /** Goes back to the newest line. */
  resume() {
    this.#follow(true);
    this.#settle();
  }

  /** Call when the text got another size: nothing that was measured holds any more. */
  reset() {
    this.#floor = 0;
    this.#settle({ jump: true });
  }

  #settle({ jump = false } = {}) {
    const used = this.#content.offsetHeight;
    this.#floor = Math.max(this.#floor, used);
    this.#limitFree(used, this.#scroller.clientHeight * FREE_SHARE);
    this.#sheet.style.minHeight = `${this.#floor}px`;
    this.#shape = this.#measure();
    if (!this.#following) return;
    // Where the browser put the text because the sheet got shorter, no hand was in it.
    if (!this.#glide) this.#expected = this.#scroller.scrollTop;
    this.#rollTo(this.#end(), jump);
  }

  #limitFree(used, most) {
    const now = performance.now();
    if (this.#floor - used <= most) {
      this.#freeSince = 0;
    } else if (!this.#freeSince) {
      this.#freeSince = now;
      setTimeout(() => this.changed(), FREE_MS + 50);
    } else if (now - this.#freeSince >= FREE_MS) {
      this.#floor = used + most;
      this.#freeSince = 0;
    }
  }

  #end() {
    return this.#scroller.scrollHeight - this.#scroller.clientHeight;
  }

  #measure() {
    return `${this.#scroller.scrollHeight} ${this.#scroller.clientHeight}`;
  }

  #rollTo(target, jump) {
    const far = Math.abs(target - this.#scroller.scrollTop) > this.#scroller.clientHeight;
    if (jump || far || this.#reduced.matches || document.hidden) {
      this.#glide = null;
      this.#put(target);
    } else if (this.#glide) {
      this.#glide.to = target;
    } else if (target !== this.#scroller.scrollTop) {
      this.#glide = { from: this.#scroller.scrollTop, to: target, since: performance.now() };
      requestAnimationFrame((now) => this.#step(now));
    }
  }

  #step(now) {
    const glide = this.#glide;
    if (!glide) return;
    if (Math.abs(this.#scroller.scrollTop - this.#expected) > 2) {
      this.#glide = null; // Somebody scrolls: never pull against a hand.
      return;
    }
    const share = Math.min(1, Math.max(0, now - glide.since) / GLIDE_MS);
    const eased = 1 - (1 - share) ** 3;
    this.#put(Math.round(glide.from + (glide.to - glide.from) * eased));
    if (share < 1) requestAnimationFrame((later) => this.#step(later));
    else this.#glide = null;
  }

  #put(position) {
    this.#scroller.scrollTop = position;
    this.#expected = this.#scroller.scrollTop;
  }

  /** Tells a reader's hand from our own movements and from the browser's. */
  #scrolled() {
    // The window or the text changed under the position: no hand was in it, and settling follows.
    if (this.#shape !== this.#measure()) return;
    const line = parseFloat(getComputedStyle(this.#content).lineHeight);
    const near = this.#end() - this.#scroller.scrollTop <= line * NEAR_LINES;
    const byHand = Math.abs(this.#scroller.scrollTop - this.#expected) > 2;
    if (this.#following && byHand && !near) {
      this.#glide = null;
      this.#follow(false);
    } else if (!this.#following && near) {
      this.#expected = this.#scroller.scrollTop;
      this.#follow(true);
    }
  }

  #reshaped() {
    this.#floor = 0;
    this.#settle({ jump: true });
  }

  #follow(on) {
    this.#following = on;
    this.#missed = 0;
    this.#button.hidden = on;
    this.#label();
  }

  #label() {
    this.#button.textContent = this.#labelOf(this.#missed);
  }
}

const labelInEnglish = (missed) => `Back to live${missed ? ` · ${missed} new` : ""}`;
