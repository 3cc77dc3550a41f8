/**
 * Keeps the screen lit while the page is in front: a projector that goes dark is a hall without text.
 *
 * Browsers allow it only on https and on localhost, and may refuse (battery saver). Captions work
 * without it, so a refusal is no error.
 */
export function stayAwake() {
  const ask = () => {
    if (!document.hidden) navigator.wakeLock?.request("screen").catch(() => {});
  };
  // The lock is lost whenever the page is hidden.
  document.addEventListener("visibilitychange", ask);
  ask();
}
