// A page of which the browser could not fetch a part (the network changed, say) stays half made for
// good. It is loaded again; if it was whole before, or that does not help, the person is asked to.
(() => {
  const KEY = "codelutra.reloads"; // how many in a row, and when the last was
  const MOST = 4;
  const ROW_S = 120; // after so long another row begins
  const LATE_S = 60; // of being looked at: by then a page is whole

  const isWhole = () => document.querySelector("#worker-state [data-version]") !== null;

  const ask = () => {
    const note = document.createElement("div");
    note.id = "half-page";
    note.className = "note bad";
    note.setAttribute("role", "alert");
    note.textContent = "A part of this page did not arrive (runs do not depend on it). ";
    const again = document.createElement("button");
    again.textContent = "Load it again";
    again.onclick = () => location.reload();
    note.append(again);
    document.body.append(note);
  };

  // A browser that reaches nobody would show an error page of its own, for good.
  const reload = async () => {
    try {
      const url = `${window.gradio_config?.root ?? ""}/health`;
      await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
      location.reload();
    } catch {
      setTimeout(reload, 1000);
    }
  };

  let isOver = false;
  const onFailure = () => {
    if (isOver) return;
    isOver = true;
    const now = Date.now();
    const [count, at] = JSON.parse(sessionStorage.getItem(KEY) ?? "[0, 0]");
    const before = now - at < 1000 * ROW_S ? count : 0;
    if (isWhole() || before >= MOST) return ask();
    sessionStorage.setItem(KEY, JSON.stringify([before + 1, now]));
    reload();
  };

  window.addEventListener("vite:preloadError", onFailure);
  const needed = 'script[type="module"], link[rel="stylesheet"]';
  const onError = ({ target }) => target instanceof Element && target.matches(needed) && onFailure();
  window.addEventListener("error", onError, true); // these do not bubble

  let seen_s = 0;
  const watch = setInterval(() => {
    if (isOver || isWhole() || window.gradio_config?.auth_required) clearInterval(watch);
    else if (document.hidden || document.querySelector("#no-answer")) return; // that says why
    else if (++seen_s >= LATE_S) onFailure();
  }, 1000);
})();
