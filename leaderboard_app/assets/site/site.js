/* Unpacks the page's figures, draws its charts and its table, and keeps what the visitor chose
   after the # of the address. Nothing is fetched: all data stand in the page or beside it. */
"use strict";

const siteRoot = document.body.dataset.root;
const isDark = window.matchMedia("(prefers-color-scheme: dark)").matches;

/* Base85 with the signs of RFC 1924: five of them for four bytes. */
const signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

function bytesOf(text) {
  const n = Math.floor((text.length * 4) / 5);
  const padded = text + "~".repeat((5 - (text.length % 5)) % 5);
  const bytes = new DataView(new ArrayBuffer((padded.length / 5) * 4));
  for (let i = 0; i < padded.length; i += 5) {
    let word = 0;
    for (let j = 0; j < 5; j++) word = word * 85 + signs.indexOf(padded[i + j]);
    bytes.setUint32((i / 5) * 4, word);
  }
  return new Uint8Array(bytes.buffer, 0, n);
}

async function unpacked(text) {
  const bytes = bytesOf(text.replaceAll(" ", ""));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(inflated).text());
}

/* A choice makes an entry in the browser's history, typing makes none. */
function keepInAddress(view, isTyped) {
  const bare = location.href.split("#")[0];
  const address = view ? `${bare}#${view}` : bare;
  if (isTyped) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
}

function inAddress() {
  return location.hash.slice(1);
}

/* The table of the board. */

async function showBoard(place) {
  const model = await unpacked(boardModel);
  for (const row of model.rows) row.href = siteRoot + row.href;
  const table = boardTable(place, { ...model, view: inAddress() }, { view: keepInAddress });
  for (const event of ["popstate", "hashchange"]) {
    window.addEventListener(event, () => table.show(inAddress()));
  }
}

/* Charts: a specification of the site, and the page's own data by columns. */

/* What several charts of the site have in common: unpacked with a page's first chart. */
let boardSpecs = {};
let boardData = {};

/* What several pages have is named by a string, what several charts of a page by a number. */
function known(value, shared) {
  if (typeof value === "number") return shared[value];
  return typeof value === "string" && value in boardData ? boardData[value] : value;
}

function rowsOf(table, shared) {
  const columns = Object.entries(known(table, shared)).map(
    ([name, column]) => [name, known(column, shared)]);
  if (!columns.length) return [];
  return columns[0][1].map((_, i) => Object.fromEntries(columns.map(([name, column]) => [name, column[i]])));
}

function chartOf(figure, sets) {
  const ink = { labelColor: "currentColor", titleColor: "currentColor" };
  const line = isDark ? "#3a3d44" : "#dedcd8";
  return {
    ...boardSpecs[figure.spec],
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: figure.alt,
    datasets: sets,
    params: Object.entries(figure.parameters).map(([name, value]) => ({ name, value })),
    width: "container",
    height: figure.height,
    autosize: { type: "fit", contains: "padding" },
    background: "transparent",
    config: {
      font: getComputedStyle(document.body).fontFamily,
      mark: { tooltip: null },
      view: { stroke: null },
      title: { color: "currentColor", fontSize: 15, anchor: "start" },
      axis: { ...ink, gridColor: line, domainColor: line, tickColor: line, titleFontWeight: 400 },
      legend: { ...ink },
    },
  };
}

/* A chart for a talk or a paper: dark ink on white paper, whatever the theme. How it looks there,
   `boardPrint`, is written beside the specifications: charts/printing.py says it. */
function inked(part) {
  if (Array.isArray(part)) return part.map(inked);
  if (part && typeof part === "object") {
    return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, inked(value)]));
  }
  return part === "currentColor" ? boardPrint.ink : part;
}

function printed(figure, sets) {
  const line = boardPrint.line;
  const chart = inked(chartOf(figure, sets));
  const axis = { ...chart.config.axis, gridColor: line, domainColor: line, tickColor: line };
  delete chart.usermeta;
  return {
    ...chart,
    width: boardPrint.width,
    background: boardPrint.paper,
    config: { ...chart.config, font: boardPrint.font, axis },
  };
}

async function saved(figure, sets, kind) {
  const embed = await library();
  const place = document.createElement("div");
  const { view } = await embed(place, printed(figure, sets), {
    mode: "vega-lite", renderer: "none", actions: false, ast: true,
  });
  const name = document.title.replace(/[^A-Za-z0-9]+/g, "_");
  if (kind === "pdf") {
    printedAlone(await view.toSVG(), name);
  } else {
    const link = document.createElement("a");
    link.download = `${name}.${kind}`;
    link.href = await view.toImageURL(kind, kind === "png" ? boardPrint.scale : 1);
    link.click();
  }
  view.finalize();
}

/* A chart alone on a page of its own size: the browser's own printer writes it as PDF, with texts as
   text. The frame stays until the next one, as browsers differ in when printing has ended. */
function printedAlone(svg, name) {
  document.getElementById("on-paper")?.remove();
  const frame = document.createElement("iframe");
  frame.id = "on-paper";
  frame.title = name;
  frame.tabIndex = -1;
  frame.setAttribute("aria-hidden", "true");
  document.body.append(frame);
  const page = frame.contentDocument;
  page.title = name;
  const drawing = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  page.body.append(page.importNode(drawing, true));
  const [width, height] = ["width", "height"].map((side) => drawing.getAttribute(side));
  const sheet = new frame.contentWindow.CSSStyleSheet();
  sheet.replaceSync(`@page { size: ${width}px ${height}px; margin: 0 } body { margin: 0 } svg { display: block }`);
  page.adoptedStyleSheets = [sheet];
  frame.contentWindow.print();
}

function filesOf(figure, sets) {
  const line = document.createElement("p");
  line.className = "files";
  for (const kind of ["svg", "pdf", "png"]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = kind.toUpperCase();
    const how = kind === "pdf" ? "Print this chart to PDF" : `Save this chart as ${kind.toUpperCase()}`;
    button.title = `${how}, in colours for white paper`;
    button.addEventListener("click", () => saved(figure, sets, kind));
    line.append(button);
  }
  return line;
}

function cellText(value, name, labels) {
  if (value === null || value === undefined) return "–";
  if (name === "x" && labels && Number.isInteger(value)) return String(labels[value]);
  return String(value);
}

function tableOf(figure, sets) {
  const names = Object.keys(figure.fields);
  const labels = figure.parameters.edges;
  const table = document.createElement("table");
  table.className = "lb-table";
  const head = table.createTHead().insertRow();
  for (const name of names) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = figure.fields[name];
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of Object.values(sets).flat()) {
    if (row[names[0]] === null || row[names[0]] === undefined) continue;
    const line = body.insertRow();
    for (const name of names) line.insertCell().textContent = cellText(row[name], name, labels);
  }
  return table;
}

function figuresOf(figure, sets) {
  const details = document.createElement("details");
  details.className = "lb-figures figures";
  const summary = document.createElement("summary");
  summary.textContent = "Figures of this chart";
  details.append(summary);
  details.addEventListener("toggle", () => {
    const scroller = document.createElement("div");
    scroller.className = "lb-scroll";
    scroller.tabIndex = 0;
    scroller.append(tableOf(figure, sets));
    details.append(scroller, filesOf(figure, sets));
  }, { once: true });
  return details;
}

/* The library of the charts is large: it is loaded with the first chart that is seen. */
let loading = null;
function library() {
  loading ||= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = `${siteRoot}assets/vega.js`;
    script.onload = () => done(window.vegaEmbed);
    script.onerror = failed;
    document.head.append(script);
  });
  return loading;
}

async function drawFigure(place, figure, shared) {
  if (place.childElementCount) return;
  const sets = Object.fromEntries(
    Object.entries(figure.data).map(([name, table]) => [name, rowsOf(table, shared)]));
  figure.alt = known(figure.alt, shared);
  figure.fields = known(figure.fields, shared);
  place.setAttribute("aria-label", figure.alt);
  const drawn = document.createElement("div");
  drawn.className = "drawn";
  place.append(drawn, figuresOf(figure, sets));
  const embed = await library();
  await embed(drawn, chartOf(figure, sets), {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    /* Expressions are interpreted: the page's policy lets no text become code. */
    ast: true,
    tooltip: { theme: isDark ? "dark" : "light" },
  });
}

async function showFigures(packed) {
  ({ specs: boardSpecs, data: boardData } = await unpacked(boardShared));
  const { figures, columns } = await unpacked(packed.textContent);
  const places = [...document.querySelectorAll("figure[data-figure]")];
  const draw = (place) => drawFigure(place, figures[Number(place.dataset.figure)], columns);
  const cost = document.getElementById("cost");
  if (!cost) {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    });
    for (const place of places) {
      /* As high as its chart, so that nothing moves when it is drawn. */
      place.style.minHeight = `${figures[Number(place.dataset.figure)].height + 40}px`;
      seen.observe(place);
    }
    window.addEventListener("beforeprint", () => places.forEach(draw));
    return;
  }
  const efficiency = document.getElementById("efficiency");
  const show = () => {
    const choice = `${cost.value}/${efficiency.value}`;
    for (const place of places) {
      place.hidden = place.dataset.choice !== choice;
      if (!place.hidden) draw(place);
    }
  };
  const follow = () => {
    const wanted = new URLSearchParams(inAddress());
    for (const select of [cost, efficiency]) {
      const value = wanted.get(select.id);
      const known = [...select.options].some((option) => option.value === value);
      select.value = known ? value : select.options[0].value;
    }
    show();
  };
  for (const select of [cost, efficiency]) {
    select.addEventListener("change", () => {
      keepInAddress(`cost=${cost.value}&efficiency=${efficiency.value}`);
      show();
    });
  }
  for (const event of ["popstate", "hashchange"]) window.addEventListener(event, follow);
  follow();
}

/* Text that is copied as a whole, such as a digest: a button copies it. */
function offerCopies() {
  if (!navigator.clipboard) return;
  for (const code of document.querySelectorAll(".lb-code")) {
    const text = code.querySelector("pre");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    });
    code.append(button);
  }
}

offerCopies();
const boardPlace = document.getElementById("board");
if (boardPlace) showBoard(boardPlace);
const packedFigures = document.getElementById("figures");
if (packedFigures) showFigures(packedFigures);
if (typeof showTimes === "function") showTimes(document);
