"use strict";

// The page follows its runs: of a newer page, only the parts that changed are put in.

const main = document.querySelector("main");
const news = document.getElementById("news");
let version = document.body.dataset.version;
let fetching = false;
let again = false;

function same(old, part) {
  const open = [...old.querySelectorAll("details[open]")];
  for (const one of open) one.open = false;
  const equal = old.outerHTML === part.outerHTML;
  for (const one of open) one.open = true;
  return equal;
}

function putIn(next) {
  let last = null;
  for (const part of [...next.querySelector("main").children]) {
    const old = document.getElementById(part.id);
    if (old && same(old, part)) {
      last = old;
      continue;
    }
    const opened = old ? [...old.querySelectorAll("details")].map((one) => one.open) : [];
    part.querySelectorAll("details").forEach((one, i) => (one.open = opened[i] ?? false));
    if (old) old.replaceWith(part);
    else if (last) last.after(part);
    else main.prepend(part);
    last = part;
  }
  const kept = new Set([...next.querySelectorAll("nav a")].map((link) => link.hash.slice(1)));
  for (const part of [...main.children]) if (!kept.has(part.id)) part.remove();
  document.querySelector("nav").replaceWith(next.querySelector("nav"));
  version = next.body.dataset.version;
}

async function refresh() {
  again = fetching;
  if (fetching) return;
  fetching = true;
  news.textContent = "Live: loading a newer page";
  try {
    const answer = await fetch("page");
    const text = await answer.text();
    if (answer.ok) putIn(new DOMParser().parseFromString(text, "text/html"));
    const time = new Date().toLocaleTimeString();
    news.textContent = answer.ok ? `Live: updated at ${time}` : `Live: ${text}`;
  } catch {
    news.textContent = "Not live: the server has ended";
  }
  fetching = false;
  if (again) refresh();
}

const source = new EventSource("events");
source.addEventListener("page", (event) => {
  if (event.data !== version) refresh();
});
source.addEventListener("open", () => {
  news.textContent = "Live: follows each epoch";
});
source.addEventListener("error", () => {
  news.textContent = "Not live: the server has ended";
});
