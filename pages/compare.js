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

let written = null;
const remember = () => {
  const address = element.querySelector("[data-address]")?.dataset.address;
  if (!address || address === written || element.offsetParent === null) return;
  written = address;
  window.codelutra.remember(JSON.parse(address));
};
setInterval(remember, 300);
