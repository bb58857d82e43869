// Life for pages that work without it: parts are fetched again when the ledger has news, and keys do what buttons do.
"use strict";

const REFRESH_MS = 1000;
const LOOKED_MS = 800;

// ---------------------------------------------------------------- parts that follow the ledger

const parts = [...document.querySelectorAll("[data-part]")];
let dirty = false;
let fetching = false;

async function refresh() {
  if (fetching || document.hidden) return;
  dirty = false;
  fetching = true;
  try {
    for (const part of parts) await renew(part);
    tick();
  } finally {
    fetching = false;
    setTimeout(() => dirty && refresh(), REFRESH_MS);
  }
}

async function renew(part) {
  // Whoever writes or marks something in a part keeps it as it is until done.
  if ([...part.querySelectorAll("input:not([type=hidden]), textarea")].some((each) => each.value !== each.defaultValue)) return;
  if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return;
  const answer = await fetch(location.pathname + location.search, { headers: { "X-Part": part.dataset.part } }).catch(() => null);
  if (!answer || !answer.ok) return;
  const text = await answer.text();
  if (part.dataset.was === text) return;
  part.dataset.was = text;
  const focused = part.contains(document.activeElement) ? place(document.activeElement) : null;
  const here = part.querySelector(".here")?.id;
  const open = new Set([...part.querySelectorAll("details[open]")].map(place));
  const bottom = "grows" in part.dataset && innerHeight + scrollY >= document.body.scrollHeight - 40;
  part.innerHTML = text;
  for (const each of part.querySelectorAll("details")) if (open.has(place(each))) each.open = true;
  if (here) document.getElementById(here)?.classList.add("here");
  if (focused) [...part.querySelectorAll("a, button")].find((each) => place(each) === focused)?.focus();
  if (bottom) scrollTo(0, document.body.scrollHeight);
  search();
}

function place(element) {
  return `${element.closest("[id]")?.id}|${element.tagName}|${element.getAttribute("href") ?? element.getAttribute("aria-label") ?? ""}`;
}

function listen() {
  const shown = document.getElementById("stream");
  if (!shown || !parts.length) return;
  const stream = new EventSource("/api/v1/stream");
  const news = () => {
    const idle = !dirty;
    dirty = true;
    if (idle) setTimeout(refresh, 50);
  };
  stream.addEventListener("facts", news);
  stream.addEventListener("deed", news);
  stream.addEventListener("open", () => {
    if (!shown.hidden) news();
    shown.hidden = true;
  });
  stream.addEventListener("error", () => { shown.hidden = false; });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) news(); });
  // What a live attempt says is no fact of the ledger; where one is shown, look at it all the same.
  if (document.querySelector(".work, [data-grows]")) setInterval(() => { if (live()) news(); }, 2 * REFRESH_MS);
}

function live() {
  return document.querySelector(".work, .trajectory .s-working") !== null;
}

function tick() {
  // What was put off and whose time has come is no fact: nobody tells.
  for (const each of document.querySelectorAll("time[data-until]")) {
    const left = Number(each.dataset.until) - Date.now() / 1000;
    if (left > 0) continue;
    delete each.dataset.until;
    refresh();
  }
  for (const each of document.querySelectorAll("time[data-since]")) {
    const seconds = Math.max(0, Date.now() / 1000 - Number(each.dataset.since));
    each.textContent = seconds < 60 ? `${Math.floor(seconds)} s`
      : seconds < 3600 ? `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
      : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  }
}

// ---------------------------------------------------------------- deciding

function say(words) {
  const at = document.getElementById("say");
  at.textContent = words;
  setTimeout(() => { if (at.textContent === words) at.textContent = ""; }, 6000);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.ask && !confirm(form.dataset.ask)) { event.preventDefault(); return; }
  if (!document.getElementById("say")) return;
  event.preventDefault();
  const button = event.submitter ?? form.querySelector("button");
  const to = button.hasAttribute("formaction") ? button.formAction : form.action;
  button.disabled = true;
  const answer = await fetch(to, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } }).catch(() => null);
  button.disabled = false;
  if (!answer?.ok) { say(answer ? await problem(answer) : "the deck does not answer"); return; }
  const { act } = await answer.json();
  sessionStorage.removeItem(`why ${location.pathname}`);
  form.reset();
  follow(act);
  const review = document.querySelector(".review");
  if (review && /\/(accept|reject|revert|audit|again|retry|defer)$/.test(to)) location.assign(`${review.dataset.next}#did-${act}`);
});

async function problem(answer) {
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return page.querySelector("main p")?.textContent ?? `that did not work (${answer.status})`;
}

async function follow(act) {
  for (let wait = 100; ; wait = Math.min(wait * 2, 2000)) {
    const answer = await fetch(`/api/v1/acts/${act}`).catch(() => null);
    if (!answer?.ok) return;
    const told = await answer.json();
    if (told.ok !== null) { say(told.said); refresh(); return; }
    await new Promise((done) => setTimeout(done, wait));
  }
}

function look() {
  const seen = document.querySelector("[data-look]");
  if (!seen) return;
  setTimeout(() => { if (!document.hidden) fetch(`/look/${seen.dataset.look}`, { method: "POST" }).catch(() => null); }, LOOKED_MS);
}

// ---------------------------------------------------------------- words on lines

// A click on a number begins a word on that line; all of them go back together, in the reason.
document.addEventListener("click", (event) => {
  const number = event.target.closest(".diff .ln");
  const why = document.getElementById("why");
  if (!number || !why) return;
  const cells = number.parentElement.querySelectorAll(".ln");
  const line = cells[1].textContent || cells[0].textContent;
  if (!line) return;
  const gone = cells[1].textContent ? "" : " (taken away)";
  remark(why, `${number.closest("[data-path]").dataset.path}:${line}${gone}: `);
});

function remark(why, words) {
  why.value += `${why.value && !why.value.endsWith("\n") ? "\n" : ""}${words}`;
  fit(why);
  why.focus();
  why.setSelectionRange(why.value.length, why.value.length);
  keep(why);
}

function fit(why) {
  why.rows = Math.min(8, Math.max(1, why.value.split("\n").length));
}

function keep(why) {
  sessionStorage.setItem(`why ${location.pathname}`, why.value);
}

function draft() {
  const why = document.getElementById("why");
  if (!why) return;
  why.value ||= sessionStorage.getItem(`why ${location.pathname}`) ?? "";
  fit(why);
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "why") return;
  fit(event.target);
  keep(event.target);
});

// What a long patch leaves out comes when its file is opened.
document.addEventListener("toggle", async (event) => {
  const rows = event.target.open && event.target.querySelector("[data-rows]");
  if (!rows) return;
  const answer = await fetch(rows.dataset.rows).catch(() => null);
  if (!answer?.ok) return;
  delete rows.dataset.rows;
  rows.innerHTML = await answer.text();
}, true);

// ---------------------------------------------------------------- searching in a trajectory

function search() {
  const box = document.querySelector("[data-search]");
  if (!box) return;
  const wanted = box.value.toLowerCase();
  for (const each of document.querySelectorAll(box.dataset.search)) each.hidden = wanted !== "" && !each.textContent.toLowerCase().includes(wanted);
}
document.querySelector("[data-search]")?.addEventListener("input", search);

// ---------------------------------------------------------------- keys

let before = "";

function move(by) {
  const items = [...document.querySelectorAll("[data-item]")];
  if (!items.length) return;
  const at = items.findIndex((each) => each.classList.contains("here"));
  items[at]?.classList.remove("here");
  const next = items[Math.max(0, Math.min(items.length - 1, at < 0 ? (by > 0 ? 0 : items.length - 1) : at + by))];
  next.classList.add("here");
  next.scrollIntoView({ block: "nearest" });
  next.querySelector("a")?.focus({ preventScroll: true });
}

function press(key) {
  // In a list, what belongs to the row that one is at.
  const found = document.querySelector(`.here [data-key="${key}"]`) ?? document.querySelector(`[data-key="${key}"]`);
  if (!found) return;
  if (found.matches("input, textarea")) found.focus();
  else if (found.matches("summary")) {
    found.parentElement.open = true;
    found.parentElement.querySelector("input, textarea")?.focus();
  }
  else found.click();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  n: () => location.assign(document.querySelector("[data-next]")?.dataset.next ?? "/inbox"),
  "/": () => document.getElementById("search")?.focus(),
  "?": () => document.getElementById("keys")?.showModal(),
  a: () => press("a"),
  r: () => press("r"),
  b: () => press("b"),
  d: () => press("d"),
  s: () => press("s"),
  t: () => press("t"),
  c: () => {
    const [why, file] = [document.getElementById("why"), document.querySelector("[data-path]")];
    if (why && file) remark(why, `${file.dataset.path}:`);
  },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && event.target.matches("textarea") && !event.shiftKey) { event.preventDefault(); event.target.form.requestSubmit(); }
    return;
  }
  const went = before === "g" && { f: "/", i: "/inbox", t: "/trust", d: "/drill", s: "/settings" }[event.key];
  before = event.key;
  if (went) { event.preventDefault(); location.assign(went); return; }
  if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
});

// ---------------------------------------------------------------- begin

listen();
look();
draft();
tick();
setInterval(tick, 1000);
const did = /^#did-(\d+)$/.exec(location.hash);
if (did) { history.replaceState(null, "", location.pathname + location.search); follow(Number(did[1])); }
