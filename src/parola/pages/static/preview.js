/** The home page's small screen: one room at a time, with the same feed and painter as the big one. */

import { Feed } from "./feed.js";
import { Follower } from "./follow.js";
import { Painter } from "./painter.js";
import { credit, wording } from "./words.js";

const KEEP = 30;

const $ = (id) => document.getElementById(id);

export class Preview {
  #room = "";
  #feed = null;
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
  #painter = new Painter($("captions"), $("partial"), {
    keep: () => KEEP,
    cut: (pixels) => this.#follower.cut(pixels),
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
    this.#feed?.close();
    this.#feed = null;
    this.#painter.clear();
    this.#follower.reset();
    this.#room = room;
    this.#state = "idle";
    this.#detail = "";
    $("preview-room").textContent = room;
    $("preview-credit").textContent = "";
    if (room) {
      this.#feed = new Feed(room, this.#listener(), { partial: true });
      this.#feed.open();
    } else {
      this.#show();
    }
  }

  #listener() {
    return {
      onSegment: (frame) => {
        this.#painter.paint(frame);
        if (!frame.is_partial) {
          $("preview-credit").textContent = credit(frame.made_by, frame.engine);
          this.#follower.arrived();
        }
        this.#show();
        this.#follower.changed();
      },
      onChange: ({ change, session }) => {
        if (change === "session_started") this.#painter.begin(session);
      },
      onState: (frame) => {
        this.#state = frame.state;
        this.#detail = frame.detail;
        this.#show();
      },
      onLink: (link, reason) => {
        if (link === "open") this.#painter.withdraw();
        this.#link = link;
        this.#reason = reason;
        this.#show();
        this.#follower.changed();
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
    $("preview-empty").hidden = !this.#painter.isEmpty;
    const why = this.#link === "refused" ? this.#reason : this.#detail;
    $("preview-empty").textContent = this.#room && why ? why : words.large;
  }
}
