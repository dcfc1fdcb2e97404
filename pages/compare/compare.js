// The Compare tab: its buttons, and the address. Runs once, for #compare-view.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button || button.disabled) return;
  button.disabled = true; // until the page is written anew
  setTimeout(() => (button.disabled = false), 2_000);
  const { do: what, choice, chosen, rejected } = button.dataset;
  trigger("select", { do: what, choice, chosen, rejected, id: shown() });
});

const shown = () => Number(element.querySelector("[data-comparison]")?.dataset.comparison ?? 0);

let written = null; // of the comparison that was shown last
const remember = () => {
  const address = element.querySelector("[data-address]")?.dataset.address;
  if (element.offsetParent === null) return;
  written ??= address ?? ""; // what the page was opened with stays where it is
  if (!address || address === written) return;
  // On a narrow screen the answers are below the form.
  if (written !== null && window.innerWidth < 900) element.scrollIntoView({ behavior: "smooth" });
  written = address;
  window.codelutra.remember(JSON.parse(address));
};
setInterval(remember, 300);
