/** A transparent page for video mixers: one room's last two lines. */

import { isYes, roomOfAddress } from "./reading.js";
import { Screen } from "./screen.js";
import { oneOf, Settings, wholeNumber } from "./settings.js";

/** A letter's size in thousandths of the picture's height. Source: BBC Subtitle Guidelines, 8 % a line. */
const SIZE = "55";

let room = "";
try {
  room = roomOfAddress();
} catch {
  // The server has refused such an address already.
}

const partial = isYes(new URLSearchParams(location.search).get("partial"));
const pane = document.querySelector(".pane");
const screen = new Screen(pane, room, { lines: 2, columns: 37, partial }, {});

function dress({ lines, letters, size, position, box }) {
  const { style, dataset } = document.documentElement;
  Object.assign(dataset, { position, box });
  const text = Math.floor((innerHeight * Number(size)) / 1000);
  style.setProperty("--text", `${text}px`);
  style.setProperty("--line", `${Math.round(text * 1.28)}px`);
  style.setProperty("--letters", letters);
  screen.again({ lines: Number(lines), columns: Number(letters) });
}

const settings = new Settings(
  "parola.overlay",
  {
    lines: wholeNumber(1, 6, "2"),
    letters: wholeNumber(12, 37, "37"),
    size: wholeNumber(20, 200, SIZE),
    position: oneOf("bottom", "top"),
    box: oneOf("on", "off"),
  },
  dress,
);

document.addEventListener("keydown", (event) => {
  if (event.key === "c" || event.key === "C") screen.clear();
});
document.addEventListener("click", () => screen.clear());
window.addEventListener("resize", () => dress(settings.values));
document.title = `${room} – Parola`;
screen.open();
