// The Pairs tab: keys, drafts of edited programs, and the address. Runs once, for #pair-focus.
const KEYS = "codelutra.keys";
const WHO = "codelutra.reviewer";
const DRAFTS = "codelutra.drafts";

const stored = (place, name) => {
  try {
    return JSON.parse(place.getItem(name)) ?? {};
  } catch {
    return {};
  }
};
const token = (() => {
  const known = sessionStorage.getItem("codelutra.token");
  if (known) return known;
  const fresh = Math.random().toString(36).slice(2, 8);
  sessionStorage.setItem("codelutra.token", fresh);
  return fresh;
})();
const nameInput = () => document.querySelector("#reviewer input, #reviewer textarea");
const focus = () => element.querySelector("[data-pair]");
const isSeen = () => element.offsetParent !== null;
const isTyping = (target) =>
  target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);

// One request at a time, in the order of the keys: the answer to an earlier one must never bring
// back a pair that the next key then decides on. The server says which turn it has answered.
const LONGEST_MS = 10_000; // for an answer
const TICK_MS = 1_500;
const waiting = [];
let turn = 0;
let asked = 0; // the turn under way, 0 for none
let askedAt = 0;

const DECISIONS = ["keep", "veto", "flip", "skip", "quarantine"];
const seen = () => {
  const { pair, version } = focus()?.dataset ?? {};
  return { pair: pair ? Number(pair) : null, version: version ? Number(version) : null };
};

const send = (what, more = {}) => {
  waiting.push({ do: what, ...seen(), ...more }); // of what is seen now, not when it is sent
  proceed();
};
const answered = () => Number(document.querySelector("#pair-turn [data-turn]")?.dataset.turn ?? 0);
const proceed = () => {
  const now = performance.now();
  if (asked && answered() !== asked && now - askedAt < LONGEST_MS) return;
  asked = 0;
  if (!waiting.length && isSeen() && now - askedAt >= TICK_MS) waiting.push({ do: "tick", ...seen() });
  if (!waiting.length) return;
  const wish = waiting.shift();
  // A key that was pressed twice was meant for the pair that has gone. Where only the version is
  // another, somebody was quicker: the server says so.
  if (DECISIONS.includes(wish.do) && wish.pair !== seen().pair) return;
  asked = ++turn;
  askedAt = now;
  trigger("select", { ...wish, turn, token, who: nameInput()?.value ?? "" });
};
setInterval(proceed, 40);

const keyOf = (name) =>
  stored(localStorage, KEYS)[name] ?? element.querySelector(`[data-key-for="${name}"]`)?.defaultValue;

const show = (selector, isShown) => {
  const part = element.querySelector(selector);
  if (!part) return;
  part.hidden = isShown === undefined ? !part.hidden : !isShown;
  if (!part.hidden) part.querySelector("textarea, input, button")?.focus({ preventScroll: true });
};

const draftName = (area) => `${focus()?.dataset.pair}/${area.dataset.edit}`;

const act = (button) => {
  const { do: what, reason, side } = button.dataset;
  if (button.disabled) return;
  if (what === "veto" && !reason) return show("[data-reasons]");
  if (what === "edit") return show("[data-editor]");
  if (what === "keys") return show("[data-keys]");
  if (what === "try") {
    const area = element.querySelector(`[data-edit="${side}"]`);
    return send("try", { side, text: area.value });
  }
  const note = element.querySelector("[data-note]")?.value ?? "";
  send(what, { reason: reason ?? "", note: what === "veto" ? note : "" });
};

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) act(button);
});

element.addEventListener("input", ({ target }) => {
  if (target.dataset.edit) {
    const drafts = stored(sessionStorage, DRAFTS);
    drafts[draftName(target)] = target.value;
    sessionStorage.setItem(DRAFTS, JSON.stringify(drafts));
  }
  if (target.dataset.keyFor && target.value) {
    const keys = stored(localStorage, KEYS);
    keys[target.dataset.keyFor] = target.value.toLowerCase();
    localStorage.setItem(KEYS, JSON.stringify(keys));
    label();
  }
});

const press = (selector) => {
  const button = element.querySelector(selector);
  if (button) act(button);
  return Boolean(button);
};

document.addEventListener("keydown", (event) => {
  if (!isSeen() || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    for (const part of ["[data-reasons]", "[data-editor]", "[data-keys]"]) show(part, false);
    event.target.blur?.();
    return;
  }
  if (isTyping(event.target)) return;
  const key = event.key.toLowerCase();
  let isOurs = true;
  const gold = element.querySelector("[data-gold]");
  const name = [...element.querySelectorAll("[data-key-for]")]
    .map((input) => input.dataset.keyFor)
    .find((each) => keyOf(each) === key);
  if (name) press(`[data-do="${name}"]:not([data-reason])`);
  else if (key === "u") send("undo"); // also where no pair is left to show
  else if (key === "g" && gold) gold.open = !gold.open;
  else if (key === "?") show("[data-keys]");
  else if (/^[1-9]$/.test(key)) {
    const reasons = element.querySelectorAll("[data-reasons] [data-reason]");
    if (reasons[key - 1]) act(reasons[key - 1]);
  } else isOurs = false;
  if (isOurs) event.preventDefault();
});

// Keys as this browser has them, wherever they are shown.
const label = () => {
  for (const input of element.querySelectorAll("[data-key-for]")) {
    const key = keyOf(input.dataset.keyFor);
    if (document.activeElement !== input) input.value = key;
    const shown = element.querySelector(`[data-key-of="${input.dataset.keyFor}"]`);
    if (shown && shown.textContent !== key) shown.textContent = key; // else this is seen as news
  }
};

const renew = () => {
  label();
  const drafts = stored(sessionStorage, DRAFTS);
  for (const area of element.querySelectorAll("[data-edit]")) {
    const draft = drafts[draftName(area)];
    if (draft === undefined || draft === area.defaultValue) continue;
    area.value = draft;
    show("[data-editor]", true);
  }
};
new IntersectionObserver(renew).observe(element); // the tab comes into sight
new MutationObserver(renew).observe(element, { childList: true, subtree: true });

// The address follows what is looked at; the server writes it beside the list.
let written = null;
setInterval(() => {
  const address = document.querySelector("#pair-where [data-address]")?.dataset.address;
  if (!address || address === written || !isSeen()) return;
  written = address;
  window.codelutra.remember(JSON.parse(address));
}, 300);

// The name that stands in the history, as this browser knows it.
const known = localStorage.getItem(WHO);
const setName = () => {
  const input = nameInput();
  if (!input) return void setTimeout(setName, 200);
  if (known && input.value !== known) {
    input.value = known;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
  input.addEventListener("input", () => localStorage.setItem(WHO, input.value));
};
setName();
renew();
