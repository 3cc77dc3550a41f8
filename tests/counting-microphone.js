/**
 * A microphone for tests, in the place of the page's worklet: every tenth of a second of its sound
 * holds a number that a scripted engine reads back (src/parola/engines/scripted.py). The number is
 * the time of day in tenths, so that none comes twice, also from a page that was loaded again.
 */
{
  const CHUNK = 1600;
  const MAGIC = [20559, -20306, 20300, -16705];

  function counting() {
    const began = performance.now();
    const first = Math.floor(Date.now() / 100) % 864_000;
    let made = 0;
    const port = {
      onmessage: null,
      postMessage() {
        clearInterval(timer);
        port.onmessage({ data: null });
      },
    };
    function say() {
      const number = first + made++;
      const pcm = new Int16Array(CHUNK);
      pcm.set([...MAGIC, number & 0x7fff, (number >> 15) & 0x7fff, 0, 0]);
      port.onmessage({ data: { pcm, peak: 0.5, power: 0.02, clipped: false } });
    }
    const timer = setInterval(() => {
      while (made < (performance.now() - began) / 100 - 1) say();
    }, 20);
    return port;
  }

  window.AudioWorkletNode = function (context) {
    return Object.assign(new GainNode(context), { port: counting() });
  };
}
