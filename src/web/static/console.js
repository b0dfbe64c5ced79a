// What the pages do better with a script; each works without it.
(() => {
  "use strict";
  const two = (number) => String(number).padStart(2, "0");

  // Times in the browser's own zone, where the viewer has chosen none.
  const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });
  const localTimes = (root) => {
    for (const element of root.querySelectorAll("time[data-local]")) {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
      const name = zone.formatToParts(moment).find((part) => part.type === "timeZoneName");
      const shown = document.createElement("span");
      shown.className = "zone";
      shown.textContent = name ? name.value : "";
      element.replaceChildren(`${day} ${two(moment.getHours())}:${two(moment.getMinutes())} `, shown);
      element.removeAttribute("data-local");
    }
  };
  localTimes(document);

  // A choice of time zone begins with the browser's.
  for (const input of document.querySelectorAll("input[data-zone]")) {
    if (!input.value) input.placeholder = Intl.DateTimeFormat().resolvedOptions().timeZone;
  }

  // <button data-copy="id"> copies what the element with that id says.
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    if (!source || !navigator.clipboard) continue;
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText("value" in source ? source.value : source.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }

  // <button data-confirm="…"> asks first.
  document.addEventListener("submit", (event) => {
    const question = event.submitter && event.submitter.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // <a data-export="id" data-rows="n"> fetches its file and says in that element how far it is. A very long file, and one
  // whose length nobody knows, is the browser's own to keep.
  const MOST_ROWS = 200000;
  for (const link of document.querySelectorAll("a[data-export]")) {
    const progress = document.getElementById(link.dataset.export);
    const total = Number(link.dataset.rows ?? -1);
    if (!progress || !(total >= 0 && total <= MOST_ROWS)) continue;
    let isBusy = false;
    link.addEventListener("click", async (event) => {
      event.preventDefault();
      if (isBusy) return;
      isBusy = true;
      try {
        const response = await fetch(link.href);
        if (!response.ok) throw new Error(String(response.status));
        const [, name] = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "") ?? [];
        const reader = response.body.getReader();
        const pieces = [];
        let rows = -1;
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
          pieces.push(piece.value);
          for (const byte of piece.value) if (byte === 13) rows += 1;
          progress.textContent = `${Math.max(rows, 0).toLocaleString("en")} of ${total.toLocaleString("en")} …`;
        }
        const file = document.createElement("a");
        file.href = URL.createObjectURL(new Blob(pieces, { type: "text/csv" }));
        file.download = name ?? "payments.csv";
        file.click();
        setTimeout(() => URL.revokeObjectURL(file.href), 60000);
        progress.textContent = `${Math.max(rows, 0).toLocaleString("en")} exported.`;
      } catch {
        progress.textContent = "The export broke off. Try again.";
      }
      isBusy = false;
    });
  }

  // An open menu closes on Escape, and when something else is pressed.
  const menus = () => document.querySelectorAll("details.account[open], details.locked[open]");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) {
      const hadFocus = menu.contains(document.activeElement);
      menu.open = false;
      if (hadFocus) menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
})();
