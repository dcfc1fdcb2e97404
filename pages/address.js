// The address bar follows the person (?tab=trends&run=3), and ages count on between two ticks.
(() => {
  // Gradio's <base href="./"> changes no address, but it breaks the patterns of Plotly's bars,
  // which refer to places in the document itself.
  document.querySelector('base[href="./"]')?.remove();

  // A tab is "selected" when the page is built, too: that must not overwrite the address before
  // the server has read it.
  let isRead = false;
  const remember = (changes) => {
    if (!isRead) return;
    const url = new URL(window.location.href);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === undefined || value === "") url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    if (url.href !== window.location.href) history.replaceState(history.state, "", url);
  };

  const follow = (run) => {
    isRead = true;
    remember({ run });
  };

  // On a narrow screen the run is below the form: bring it into sight when it was started.
  const showRun = () => {
    const failed = document.querySelector("#form-message .bad");
    const target = document.querySelector(failed ? "#form-message" : "#run-column");
    if (failed || window.innerWidth < 900) {
      target?.scrollIntoView({ behavior: "smooth", block: failed ? "center" : "start" });
    }
  };

  // Settings that were put into the form may be above what is in sight.
  const showForm = () =>
    document.querySelector("#form-message")?.scrollIntoView({ behavior: "smooth", block: "center" });

  // Which iteration is looked at is written in the panel.
  const rememberIteration = () => {
    const shown = document.querySelector("#run-panel section");
    remember({ iteration: shown?.dataset.iteration });
  };

  const since = new WeakMap();
  setInterval(() => {
    for (const element of document.querySelectorAll("[data-age]")) {
      const age = element.dataset.age;
      const known = since.get(element);
      if (!known || known.age !== age) since.set(element, { age, at: performance.now() });
      const { at } = since.get(element);
      const seconds = Math.round(Number(age) + (performance.now() - at) / 1000);
      const words = seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
      if (element.textContent !== words) element.textContent = words;
    }
  }, 1000);

  // A task that was chosen is below its table.
  const showTask = () => {
    const shown = document.querySelector("#task-detail [data-task-shown]");
    remember({ task: shown?.dataset.taskShown });
    shown?.scrollIntoView({ behavior: "smooth", block: "nearest" });
  };

  // What changed: the choice is in the part that the server wrote; programs are below their list.
  const rememberChanges = () => {
    const look = document.querySelector("#changes [data-look]");
    remember(look ? JSON.parse(look.dataset.look) : {});
    const shown = document.querySelector("#changed-programs [data-changed-shown]");
    shown?.scrollIntoView({ behavior: "smooth", block: "nearest" });
  };

  // ?chart=syntax: a chart is in its place once it is drawn.
  const showChart = (key, tries = 300) => {
    const chart = document.querySelector(`[data-curve="${CSS.escape(key)}"]`);
    if (chart?.querySelector(".main-svg")) chart.scrollIntoView({ block: "center" });
    else if (tries) setTimeout(() => showChart(key, tries - 1), 100);
  };
  // A page that is not on this machine and not on https has no clipboard: then the lines are
  // selected, to be copied by hand.
  const copyLines = async (button, lines) => {
    try {
      await navigator.clipboard.writeText(lines.textContent);
      button.textContent = "Copied";
    } catch {
      window.getSelection().selectAllChildren(lines);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  };

  const wanted = new URL(window.location.href).searchParams.get("chart");
  if (wanted) showChart(wanted);
  document.addEventListener("click", (event) => {
    const copy = event.target.closest("button[data-copy]");
    if (copy) copyLines(copy, copy.closest(".same").querySelector("pre"));
    const button = event.target.closest("button[data-chart]");
    if (button) remember({ chart: button.dataset.chart });
  });

  window.codelutra = {
    follow, remember, rememberChanges, rememberIteration, showForm, showRun, showTask,
  };
})();
