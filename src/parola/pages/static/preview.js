/** The home page's small screen: one room at a time, with the same feed and painter as the others. */

import { Follower } from "./follow.js";
import { Painter } from "./painter.js";
import { Paragraphs } from "./paragraphs.js";
import { Reading } from "./reading.js";
import { credit, wording } from "./words.js";

const KEEP = 30;

const $ = (id) => document.getElementById(id);

export class Preview {
  #room = "";
  #reading = null;
  #painter = null;
  #link = "connecting";
  #reason = "";
  #state = "idle";
  #detail = "";
  #follower = new Follower({
    scroller: $("reader"),
    sheet: $("sheet"),
    content: $("content"),
    button: $("live"),
  });
  #paragraphs = new Paragraphs($("captions"), $("partial"), {
    keep: () => KEEP,
    cut: (pixels) => this.#follower.cut(pixels),
    arrived: () => this.#follower.arrived(),
  });

  /** The room on the screen, or "" for none. */
  get room() {
    return this.#room;
  }

  /**
   * Shows a room; showing it again changes nothing.
   *
   * @param {string} room  "" turns the screen off.
   */
  watch(room) {
    if (room === this.#room) return;
    this.#reading?.close();
    this.#reading = null;
    this.#paragraphs.clear();
    this.#follower.reset();
    this.#room = room;
    this.#state = "idle";
    this.#detail = "";
    $("preview-room").textContent = room;
    $("preview-credit").textContent = "";
    if (room) {
      this.#painter = new Painter(this.#paragraphs, { skips: false });
      this.#reading = new Reading(room, this.#painter, this.#watcher());
      this.#reading.open();
    } else {
      this.#show();
    }
  }

  #watcher() {
    return {
      painted: () => {
        this.#paragraphs.guess(this.#painter.guess);
        this.#show();
        this.#follower.changed();
      },
      onFrame: (frame) => {
        if (frame.type === "state") {
          this.#state = frame.state;
          this.#detail = frame.detail;
        } else if (frame.type === "segment" && !frame.is_partial) {
          $("preview-credit").textContent = credit(frame.made_by, frame.engine);
        }
      },
      onEdit: (edit) => this.#paragraphs.edit(edit),
      onLink: (link, reason) => {
        this.#link = link;
        this.#reason = reason;
      },
    };
  }

  #show() {
    const words = this.#room
      ? wording(this.#link, this.#state)
      : { short: "Preview", large: "Captions appear here.", tone: "quiet" };
    $("preview-info").dataset.tone = words.tone;
    if ($("preview-status").textContent !== words.short) {
      $("preview-status").textContent = words.short;
    }
    $("preview-empty").hidden = !this.#paragraphs.isEmpty;
    const why = this.#link === "refused" ? this.#reason : this.#detail;
    $("preview-empty").textContent = this.#room && why ? why : words.large;
  }
}
