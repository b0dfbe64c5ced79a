// The page of a payment, kept up to date: the time that is left, what has become of it, and a button that copies.
// Every text is in the page already; this shows the ones that are so. Without it the page reloads itself.
"use strict";

const page = document.querySelector("main[data-status]");
const about = page.dataset.about;

const isOpen = () => page.dataset.status === "initiated" || page.dataset.status === "expired";

function show(status) {
  page.dataset.status = status;
  for (const part of page.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== status;
}

// The provider's last word may come after the time is over: then the page has said so already, and stays.
function tell(status) {
  if (!isOpen() || status === "initiated" || status === page.dataset.status) return;
  show(status);
}

// The time that is left, by the gateway's clock: this device's may be wrong.
const ahead = Number(page.dataset.now) - Date.now();
const clock = page.querySelector(".clock");
const left = page.querySelector(".left");

function count() {
  if (page.dataset.status !== "initiated") return;
  const seconds = Math.ceil((Number(page.dataset.expires) - Date.now() - ahead) / 1000);
  if (seconds <= 0) return show("expired");
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  left.textContent = parts.map((part) => String(part).padStart(2, "0")).join(":");
  clock.classList.toggle("soon", seconds <= 300);
  clock.hidden = false;
  setTimeout(count, 250);
}

// What has become of it: told as it happens, or asked for now and then where that does not work.
const ASK_EVERY = 5000;
let asking;

async function ask() {
  if (!isOpen()) return;
  try {
    const answer = await fetch(`${about}/status`, { cache: "no-store" });
    if (answer.ok) tell((await answer.json()).status);
  } catch {
    // The network is away; the next time will do.
  }
}

function askNowAndThen() {
  asking ??= setInterval(() => (isOpen() ? ask() : clearInterval(asking)), ASK_EVERY);
}

function listen() {
  if (!window.EventSource) return askNowAndThen();
  const source = new EventSource(`${about}/events`);
  let failures = 0;
  source.onmessage = (message) => {
    failures = 0;
    tell(JSON.parse(message.data).status);
    if (!isOpen()) source.close();
  };
  source.onerror = () => {
    failures += 1;
    if (source.readyState !== EventSource.CLOSED && failures < 4) return;
    source.close();
    askNowAndThen();
  };
}

// A phone lets a page sleep while its owner is in the bank's app.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) ask();
});

const copy = page.querySelector(".copy");
const number = page.querySelector("#number");

function select() {
  const range = document.createRange();
  range.selectNodeContents(number);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

async function copyNumber() {
  const label = copy.textContent;
  try {
    await navigator.clipboard.writeText(number.textContent.trim());
  } catch {
    // Pages without TLS have no clipboard; the selection can still be copied.
    select();
    if (!document.execCommand("copy")) return;
  }
  copy.textContent = copy.dataset.copied;
  copy.disabled = true;
  setTimeout(() => {
    copy.textContent = label;
    copy.disabled = false;
  }, 2000);
}

if (copy) {
  copy.hidden = false;
  copy.addEventListener("click", copyNumber);
}
if (isOpen()) {
  count();
  listen();
}
