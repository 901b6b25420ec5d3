// Local times, countdowns, the live board, and uploads that keep the chosen file.
// Pages are whole without this script.
"use strict";

const pageNow = Date.parse(document.documentElement.dataset.now);
const offset = Number.isNaN(pageNow) ? 0 : pageNow - Date.now(); // the server's clock is the clock
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

function localTimes(root) {
  const day = { day: "numeric", month: "short" };
  const clock = { hour: "2-digit", minute: "2-digit" };
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const when = new Date(time.dateTime);
    if (Number.isNaN(when.getTime())) continue;
    const year = "long" in time.dataset ? { year: "numeric", timeZoneName: "short" } : {};
    time.title = time.textContent.trim();
    time.textContent = new Intl.DateTimeFormat(undefined, { ...day, ...clock, ...year }).format(when);
    time.dataset.local = "";
  }
}

function spelled(seconds) {
  const pad = (number) => String(number).padStart(2, "0");
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const rest = `${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  return days > 0 ? `${days} d ${pad(hours)}:${rest}` : `${hours}:${rest}`;
}

function countDown() {
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil((Date.parse(element.dataset.until) - Date.now() - offset) / 1000);
    const text = left > 0 ? spelled(left) : element.dataset.done;
    if (element.textContent !== text) element.textContent = text;
  }
}

function parsed(text, selector) {
  return new DOMParser().parseFromString(text, "text/html").querySelector(selector);
}

// The live board

const rowsOf = (board) =>
  new Map([...board.querySelectorAll("tr[data-team]")].map((row) => [row.dataset.team, row]));

// Within the list: a notice above it moves all rows alike, and none of them slides.
const placeOf = (row) =>
  row.getBoundingClientRect().top - row.closest("table").getBoundingClientRect().top;

function slide(row, distance) {
  if (distance && !calm.matches) {
    const path = [{ transform: `translateY(${distance}px)` }, { transform: "none" }];
    row.animate(path, { duration: 600, easing: "ease-out" });
  }
}

function swapBoard(text) {
  const board = document.getElementById("board");
  const next = parsed(text, "#board");
  if (!board || !next || board.dataset.version === next.dataset.version) return;
  const focused = board.contains(document.activeElement) ? document.activeElement.id : "";
  const before = new Map();
  for (const [team, row] of rowsOf(board)) {
    before.set(team, [row.dataset.sum, placeOf(row)]);
  }
  board.replaceWith(next);
  localTimes(next);
  countDown();
  const news = [];
  for (const [team, row] of rowsOf(next)) {
    const [sum, top] = before.get(team) ?? [null, null];
    if (top !== null) slide(row, top - placeOf(row));
    if (sum === row.dataset.sum) continue;
    row.classList.add("changed");
    news.push(row.dataset.says);
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (news.length) document.getElementById("news").textContent = news.slice(0, 3).join(". ");
}

function live(board) {
  const { events, fragment } = board.dataset;
  let source = null;
  let fetching = false;
  let again = false;

  async function refresh() {
    again = fetching;
    if (fetching) return;
    fetching = true;
    try {
      const answer = await fetch(fragment, { headers: { Accept: "text/html" } });
      if (answer.ok) swapBoard(await answer.text());
    } catch {
      // offline for a moment: the next event or poll tries again
    }
    fetching = false;
    if (again) refresh();
  }

  function listen() {
    if (source && source.readyState !== EventSource.CLOSED) return;
    source = new EventSource(events);
    source.addEventListener("board", (event) => {
      const shown = document.getElementById("board").dataset.version;
      if (event.data !== shown) refresh();
    });
  }

  // A browser opens six connections to a server at most: a hidden page gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) source?.close();
    else listen();
  });
  setInterval(() => {
    if (document.hidden || source?.readyState === EventSource.OPEN) return;
    refresh(); // the server has no stream left, or lost it: ask, and try to listen again
    listen();
  }, 15000);
  listen();
}

// Uploads: the page stays, and with it the chosen file, unless an entry is accepted

function answerOf(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const result = page.querySelector("#result");
  if (result) return [[...result.childNodes], page.querySelector(".facts")];
  const words = [...page.querySelectorAll("main h1, main .lead")].map((part) => part.textContent);
  return [[complaint(words.join(". ") || "The server sent no answer that can be shown.")], null];
}

function complaint(words) {
  const notice = document.createElement("div");
  notice.className = "notice bad";
  notice.textContent = `${words} Your file is still chosen; you can try again.`;
  return notice;
}

function uploadInPlace(form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("button");
    const result = document.getElementById("result");
    const body = new FormData(form, button); // a disabled button would not be in it
    const buttons = form.querySelectorAll("button");
    for (const each of buttons) each.disabled = true;
    try {
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body });
      if (answer.redirected) {
        window.location.assign(answer.url); // the receipt
        return;
      }
      const [nodes, facts] = answerOf(await answer.text());
      result.replaceChildren(...nodes);
      if (facts) document.querySelector(".facts").replaceWith(facts);
      localTimes(document);
      countDown();
    } catch {
      result.replaceChildren(complaint("The server cannot be reached, or the file has changed."));
    }
    result.focus();
    for (const each of buttons) each.disabled = false;
  });
}

localTimes(document);
countDown();
setInterval(countDown, 1000);
const board = document.getElementById("board");
if (board?.dataset.events) live(board);
const upload = document.getElementById("upload");
if (upload) uploadInPlace(upload);
for (const risky of document.querySelectorAll("form[data-ask]")) {
  risky.addEventListener("submit", (event) => {
    if (!window.confirm(risky.dataset.ask)) event.preventDefault();
  });
}
