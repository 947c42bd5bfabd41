"use strict";
(async () => {
  // Plotly, unpacked: an element whose text the page's Content-Security-Policy knows by its hash.
  const packed = document.getElementById("plotly").textContent.trim();
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);

  const figures = JSON.parse(document.getElementById("figures").textContent);
  // Colours are the style sheet's: looked up anew whenever the reader's scheme changes.
  const coloured = (value) => {
    if (Array.isArray(value)) return value.map(coloured);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner)]));
    const named = typeof value === "string" && value.match(/^var\((--[\w-]+)\)$/);
    return named ? getComputedStyle(document.documentElement).getPropertyValue(named[1]).trim() : value;
  };
  const draw = async () => {
    await Promise.all(Object.entries(figures).map(([id, figure]) => {
      const { data, layout } = coloured(structuredClone(figure));
      return Plotly.react(id, data, layout, { displayModeBar: false, responsive: true });
    }));
    document.documentElement.dataset.drawn = "yes";
    document.dispatchEvent(new Event("drawn"));
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  await draw();
  // The paper is narrower than most windows, whose width the charts have until they are told another: see `@media print`.
  const resize = (width) => { for (const id of Object.keys(figures)) Plotly.relayout(id, { width, autosize: !width }); };
  addEventListener("beforeprint", () => resize(640));
  addEventListener("afterprint", () => resize(undefined));
})();
