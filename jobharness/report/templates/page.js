"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const by = (id) => document.getElementById(id);
  document.documentElement.classList.add("js");

  // The reading line of the timeline: the values are those of the table below the chart.
  const plot = by("plot"), over = by("over"), reading = by("reading"), readout = by("readout");
  const names = all("#bins thead th"), rows = all("#bins tbody tr"), share = Number(plot.dataset.share);
  let bin = -1;
  const read = (next) => {
    bin = Math.max(0, Math.min(rows.length - 1, next));
    reading.hidden = false;
    reading.style.left = Math.min(100, bin * share) + "%";
    readout.replaceChildren(...names.map((name, index) => {
      const part = document.createElement("span"), value = document.createElement("b");
      value.textContent = rows[bin].cells[index].textContent;
      part.append(name.textContent + " ", value);
      return part;
    }));
  };
  plot.addEventListener("pointermove", (event) => {
    const box = over.getBoundingClientRect();
    read(Math.floor((event.clientX - box.left) / box.width * 100 / share));
  });
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -rows.length, End: rows.length }[event.key];
    if (!step || event.target !== plot) return;
    event.preventDefault();
    read(bin + step);
  });

  // A strike: its flag opens what it hit, and what is open is marked in the chart, whose shapes 2i and 2i + 1 are those of strike i.
  const chart = by("timeline");
  const mark = () => {
    const strikes = all("details.strike"), open = new Set(strikes.filter((strike) => strike.open).map((strike) => strike.dataset.strike));
    for (const flag of all(".flag")) flag.classList.toggle("on", open.has(flag.dataset.strike));
    if (!chart.layout || !strikes.length) return;
    Plotly.relayout(chart, Object.fromEntries(strikes.flatMap((strike, index) => [
      [`shapes[${2 * index}].opacity`, strike.open ? 0.25 : 0],
      [`shapes[${2 * index + 1}].line.width`, strike.open ? 3 : 1],
    ])));
  };
  document.addEventListener("drawn", mark);
  for (const strike of all("details.strike")) strike.addEventListener("toggle", mark);
  const openStrike = (strike) => {
    strike.open = true;
    strike.querySelector("summary").focus({ preventScroll: true });
    strike.scrollIntoView({ block: "nearest" });
  };

  // The table of jobs.
  const table = by("jobs");
  const bodies = table ? [...table.tBodies] : [];
  const openJob = (body, open) => {
    body.classList.toggle("opened", open);
    body.querySelector(".unfold").setAttribute("aria-expanded", String(open));
  };
  for (const body of bodies) {
    openJob(body, false);
    body.querySelector(".unfold").addEventListener("click", () => openJob(body, !body.classList.contains("opened")));
  }
  // A job that is hit and did not offend has no row to go to.
  for (const link of all("a[data-job]")) if (!by("job-" + link.dataset.job)) link.replaceWith(...link.childNodes);
  const filter = by("filter"), promise = by("promise"), shown = by("shown");
  const sift = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const body of bodies) {
      const text = body.textContent.toLowerCase();
      const fits = words.every((word) => text.includes(word)) && (!promise.value || body.dataset.promises.split(" ").includes(promise.value));
      body.hidden = !fits;
      left += fits;
    }
    shown.value = left === bodies.length ? `${left} ${left === 1 ? "job" : "jobs"}` : `${left} of ${bodies.length} jobs`;
    by("none").hidden = left > 0;
  };
  if (table) {
    filter.form.addEventListener("submit", (event) => event.preventDefault());
    filter.addEventListener("input", sift);
    promise.addEventListener("change", sift);
    for (const button of all("[data-sort]", table)) {
      button.addEventListener("click", () => {
        const head = button.closest("th"), column = Number(button.dataset.sort);
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of all("th", table)) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (body) => body.rows[0].cells[column].dataset.value;
        const compare = (one, two) => one.localeCompare(two, "en", { numeric: true });
        bodies.sort((one, two) => compare(value(one), value(two)) * (down ? -1 : 1));
        table.append(...bodies);
      });
    }
    for (const link of all("[data-filter]")) {
      link.addEventListener("click", () => { promise.value = link.dataset.filter; filter.value = ""; sift(); });
    }
  }

  // An address of a strike or a job opens it.
  const follow = (hash) => {
    const place = hash.length > 1 && by(hash.slice(1));
    if (!place) return false;
    if (place.matches("details.strike")) openStrike(place);
    else if (bodies.includes(place)) {
      if (place.hidden) { filter.value = promise.value = ""; sift(); }
      openJob(place, true);
      place.scrollIntoView({ block: "nearest" });
      place.querySelector(".unfold").focus({ preventScroll: true });
    } else return false;
    return true;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link || !follow(link.hash)) return;
    event.preventDefault();
    history.replaceState(null, "", link.hash);
  });
  addEventListener("hashchange", () => follow(location.hash));
  follow(location.hash);

  // The command.
  const copy = by("copy");
  if (copy) copy.addEventListener("click", async () => {
    const command = by("command");
    try {
      await navigator.clipboard.writeText(command.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(command);
      copy.textContent = "Selected";
    }
  });
})();
