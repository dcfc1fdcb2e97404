// What changes is fetched here, part by part; the page says so when no answer comes.
(() => {
  const SILENT_S = 8; // so long after an answer was due, what is shown may be old
  const page = Math.random().toString(36).slice(2);
  const parts = new Map(); // by the name of their component
  const renewals = []; // [element, how to renew what is no text], one a tab
  const renewedAt = new Map(); // by mark

  const versionOf = ({ element }) =>
    element.isConnected ? element.querySelector("[data-version]")?.dataset.version : undefined;

  // The tab that is seen, by what the server wrote into it.
  const asking = () => {
    for (const [element, renew] of renewals) {
      const asks = element.querySelector(".asks");
      if (asks && element.offsetParent) return { ...asks.dataset, renew };
    }
    return { ask: "", mark: "" };
  };

  const question = ({ ask, mark }, have) => {
    const query = new URLSearchParams(ask);
    query.set("page", page);
    query.set("mark", mark);
    query.set("have", [...have].map(([name, version]) => `${name}:${version}`).join(" "));
    return `${window.gradio_config?.root ?? ""}/live?${query}`;
  };

  // An answer is of when it was asked: what has changed here since is newer.
  const show = (values, have) => {
    for (const [name, value] of Object.entries(values)) {
      const part = parts.get(name);
      if (!part || versionOf(part) !== have.get(name)) continue;
      part.props.value = value;
      part.show?.();
    }
  };

  const renewOnce = ({ mark, renew }) => {
    if (performance.now() - (renewedAt.get(mark) ?? -Infinity) < 10_000) return;
    renewedAt.clear();
    renewedAt.set(mark, performance.now());
    renew();
  };

  let answeredAt = performance.now();
  let expectedAt = answeredAt; // the next answer
  let trouble = ""; // what the server said instead of an answer
  const tellSilence = () => {
    const now = performance.now();
    const isLate = now - expectedAt >= 1000 * SILENT_S;
    const why = trouble || (isLate ? "No answer from the dashboard (runs do not depend on it)" : "");
    const seconds = Math.round((now - answeredAt) / 1000);
    const words = why && `${why}: what you see is as it was ${seconds} s ago.`;
    let note = document.querySelector("#no-answer");
    if (!words) return note?.remove();
    if (!note) {
      note = document.createElement("div");
      note.id = "no-answer";
      note.className = "note bad";
      note.setAttribute("role", "alert");
      document.body.append(note);
    }
    if (note.textContent !== words) note.textContent = words;
  };

  let due = 0;
  let isAsking = false;
  const ask = async () => {
    isAsking = true;
    const now = asking();
    const have = new Map();
    for (const [name, part] of parts) {
      const version = versionOf(part);
      if (version) have.set(name, version);
    }
    let said = "";
    let wait_s = 2;
    try {
      const answer = await fetch(question(now, have), { signal: AbortSignal.timeout(30_000) });
      const told = await answer.json();
      said = told.error ?? "";
      wait_s = told.wait_s ?? wait_s;
      if (answer.ok) {
        // What was opened in times of trouble has stayed empty.
        if (trouble && !versionOf(parts.get("worker-state"))) location.reload();
        answeredAt = performance.now();
        expectedAt = answeredAt + 1000 * wait_s;
        const still = asking();
        if (still.ask === now.ask) {
          show(told.parts, have);
          if (told.renew && still.mark === now.mark) renewOnce(still);
        }
      }
    } catch {
      // No answer, which tellSilence tells after a while.
    }
    trouble = said;
    due = performance.now() + 1000 * wait_s;
    isAsking = false;
  };

  setInterval(() => {
    if (document.hidden) {
      answeredAt = expectedAt = performance.now(); // nobody looks, so nothing was asked
      due = 0;
      return;
    }
    tellSilence();
    if (!isAsking && parts.size && performance.now() >= due) ask();
  }, 250);

  Object.assign(window.codelutra, {
    live: (name, element, props, show) => parts.set(name, { element, props, show }),
    asks: (element, renew) => renewals.push([element, renew]),
  });
})();
