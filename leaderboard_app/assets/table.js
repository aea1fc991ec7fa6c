/* The ranking table: built from one JSON model, sorted and filtered here, in the app and in the
   static site alike. Every text is set as a text node, so nothing that a team wrote is markup. */

function boardTable(root, model, hooks) {
  "use strict";
  /* As many rows are drawn at first, and with each press of the button below them. */
  const PAGE = 50;
  const MOST_COMPARED = 6;
  const ALWAYS = new Set(["rank", "team", "merit"]);
  const state = { sort: "", dir: 1, q: "", picks: {}, turned: new Set(), shown: PAGE };
  const ticked = new Set();
  const optional = model.columns.filter((column) => !ALWAYS.has(column.key));
  readView(model.view || "");

  function readView(view) {
    const parts = new URLSearchParams(view);
    const sort = parts.get("sort") || "";
    state.dir = sort.startsWith("-") ? -1 : 1;
    state.sort = sort.replace(/^-/, "");
    if (!model.columns.some((column) => column.key === state.sort)) state.sort = "";
    const wanted = (parts.get("columns") || "").split(",");
    /* Columns that are not as by default: shown, or with a minus not. */
    state.turned = new Set(optional.filter((column) =>
      wanted.includes(column.hidden ? column.key : `-${column.key}`)).map((column) => column.key));
    state.shown = PAGE;
    state.q = (parts.get("q") || "").slice(0, 200);
    for (const filter of model.filters) {
      const wanted = parts.get(filter.key) || "";
      state.picks[filter.key] = filter.options.some((o) => o[0] === wanted) ? wanted : "";
    }
  }

  function writeView() {
    const parts = new URLSearchParams();
    if (state.sort) parts.set("sort", (state.dir < 0 ? "-" : "") + state.sort);
    if (state.q) parts.set("q", state.q);
    if (state.turned.size) {
      const keys = optional.filter((column) => state.turned.has(column.key))
        .map((column) => (column.hidden ? column.key : `-${column.key}`));
      parts.set("columns", keys.join(","));
    }
    for (const [key, value] of Object.entries(state.picks)) if (value) parts.set(key, value);
    return parts.toString();
  }

  function shownColumns() {
    return model.columns.filter((column) => isColumnShown(column));
  }

  function isColumnShown(column) {
    return Boolean(column.hidden) === state.turned.has(column.key);
  }

  function node(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined && text !== null) made.textContent = text;
    return made;
  }

  function svg(tag, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  /* An interval on the column's own logarithmic scale, with a dot at the value. */
  function intervalBar(cell, range) {
    const width = 56;
    const at = (value) => {
      if (!(value > 0)) return 0;
      const share = Math.log(value / range[0]) / Math.log(range[1] / range[0]);
      return Math.max(0, Math.min(1, share)) * (width - 6) + 3;
    };
    const bar = svg("svg", { class: "bar", width, height: 9, viewBox: `0 0 ${width} 9`,
      "aria-hidden": "true" });
    bar.append(svg("line", { x1: 0, x2: width, y1: 4.5, y2: 4.5, class: "axis" }));
    if (cell.hi > 0) {
      bar.append(svg("line", { x1: at(cell.lo), x2: at(cell.hi), y1: 4.5, y2: 4.5,
        class: "span" }));
    }
    if (cell.v > 0) bar.append(svg("circle", { cx: at(cell.v), cy: 4.5, r: 3, class: "dot" }));
    return bar;
  }

  /* All signals of one entry: an interval and a dot for each, on one logarithmic scale. */
  function profile(dots, range) {
    const step = 6, height = 34, width = step * dots.length + 2;
    const at = (value) => {
      if (!(value > 0)) return height - 2;
      const share = Math.log(value / range[0]) / Math.log(range[1] / range[0]);
      return height - 2 - Math.max(0, Math.min(1, share)) * (height - 5);
    };
    const drawn = svg("svg", { class: "profile", width, height, viewBox: `0 0 ${width} ${height}`,
      "aria-hidden": "true" });
    drawn.append(svg("line", { x1: 0, x2: width, y1: height - 1, y2: height - 1, class: "axis" }));
    dots.forEach((dot, i) => {
      if (!dot) return;
      const x = step * i + 4;
      drawn.append(svg("line", { x1: x, x2: x, y1: at(dot[0]), y2: at(dot[2]), class: "span" }));
      if (dot[1] > 0) drawn.append(svg("circle", { cx: x, cy: at(dot[1]), r: 2, class: "dot" }));
    });
    return drawn;
  }

  function shareBar(share) {
    const bar = node("span", share > 1 ? "share over" : "share");
    const fill = node("span");
    fill.style.width = `${Math.max(share > 0 ? 1 : 0, Math.min(100, 100 * share))}%`;
    bar.append(fill);
    return bar;
  }

  function drawCell(column, cell, row) {
    const box = node("td", `c-${column.kind}${column.key === "rank" ? " rank" : ""}`);
    if (!cell) {
      if (column.key === "rank" && model.compare) box.append(tick(row));
      box.append(node("span", "none", "–"));
      return box;
    }
    if (cell.tip) box.title = cell.tip;
    if (column.kind === "entry") {
      const link = node("a", "team");
      link.append(node("bdi", "", cell.t));
      link.href = row.href;
      box.append(link);
      for (const tag of cell.tags || []) box.append(node("span", "tag", tag));
      if (hasArrived(row)) box.append(node("span", "tag", "new"));
      const title = node("span", "title");
      title.append(node("bdi", "", cell.s));
      title.title = cell.s;
      box.append(title);
      return box;
    }
    if (column.kind === "profile") {
      if (column.range) box.append(profile(cell.p, column.range));
      box.append(node("span", "unseen", cell.tip));
      return box;
    }
    if (column.kind === "badge") {
      box.append(node("span", `badge ${cell.tone || ""}`, cell.t));
      return box;
    }
    if (column.key === "rank" && model.compare) box.append(tick(row));
    if (cell.s && column.kind === "rate") box.append(node("span", "aside", cell.s));
    box.append(node("span", cell.v === null ? "none" : "value", cell.t));
    if (cell.s && column.kind !== "rate") box.append(node("span", "sub", cell.s));
    if (cell.mark) box.append(node("span", "mark", cell.mark));
    if (cell.lo !== undefined && column.range) box.append(intervalBar(cell, column.range));
    else if (column.range) box.append(node("span", "spacer"));
    if (cell.share !== undefined) box.append(shareBar(cell.share));
    return box;
  }

  /* A box that takes an entry into the comparison. */
  function tick(row) {
    const box = node("input", "tick");
    box.type = "checkbox";
    box.checked = ticked.has(row.team);
    box.title = "Compare this entry with others";
    box.setAttribute("aria-label", `Compare ${row.team}`);
    box.addEventListener("change", () => {
      if (box.checked && ticked.size >= MOST_COMPARED) box.checked = false;
      if (box.checked) ticked.add(row.team);
      else ticked.delete(row.team);
      drawComparison();
    });
    return box;
  }

  function drawComparison() {
    comparison.replaceChildren();
    if (!ticked.size) {
      comparison.textContent = "Tick two to six entries to compare them.";
      return;
    }
    if (ticked.size === 1) {
      comparison.textContent = "1 entry ticked: tick another one to compare them.";
      return;
    }
    const link = node("a", "", `Compare ${ticked.size} entries`);
    const names = [...ticked].map((name) => `entries=${encodeURIComponent(name)}`).join("&");
    link.href = model.compare + names;
    comparison.append(link);
  }

  function compare(a, b) {
    if (!state.sort) return a.at - b.at;
    const x = a.cells[state.sort], y = b.cells[state.sort];
    const vx = x ? x.v : null, vy = y ? y.v : null;
    /* What was not measured comes last, whichever way the column is sorted. */
    if (vx === null || vx === undefined) return vy === null || vy === undefined ? a.at - b.at : 1;
    if (vy === null || vy === undefined) return -1;
    const order = typeof vx === "string" ? vx.localeCompare(vy) : vx - vy;
    return order * state.dir || a.at - b.at;
  }

  function isShown(row) {
    for (const filter of model.filters) {
      const wanted = state.picks[filter.key];
      if (wanted && row.facets[filter.key] !== wanted) return false;
    }
    const q = state.q.trim().toLowerCase();
    return !q || q.split(/\s+/).every((word) => row.words.includes(word));
  }

  function toggle(column) {
    if (state.sort === column.key) {
      if (state.dir === column.first) state.dir = -state.dir;
      else state.sort = "";
    } else {
      state.sort = column.key;
      state.dir = column.first;
    }
    changed();
    drawHead();
    drawBody();
  }

  function changed(isTyped = false) {
    state.shown = PAGE;
    if (hooks.view) hooks.view(writeView(), isTyped);
  }

  const frame = node("div", "board");
  const tools = node("div", "tools");
  const scroller = node("div", "scroller");
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "region");
  scroller.setAttribute("aria-label", model.caption);
  const table = node("table");
  table.append(node("caption", "", model.caption));
  const head = node("thead"), body = node("tbody");
  table.append(head, body);
  scroller.append(table);
  const status = node("p", "status");
  status.setAttribute("role", "status");
  const comparison = node("p", "comparison");
  const more = node("button", "more");
  more.type = "button";
  more.addEventListener("click", () => {
    state.shown += PAGE;
    drawBody();
  });
  frame.append(tools, scroller, more, status);
  if (model.compare) frame.insertBefore(comparison, scroller);

  function drawTools() {
    const find = node("label", "find");
    find.append(node("span", "", "Find"));
    const input = node("input");
    input.type = "search";
    input.placeholder = "team, title, part …";
    input.value = state.q;
    input.maxLength = 200;
    input.addEventListener("input", () => {
      state.q = input.value;
      changed(true);
      drawBody();
    });
    find.append(input);
    tools.append(find);
    for (const filter of model.filters) {
      if (filter.options.length < 2) continue;
      const label = node("label");
      label.append(node("span", "", filter.title));
      const select = node("select");
      for (const [value, text] of [["", "all"], ...filter.options]) {
        const option = node("option", "", text);
        option.value = value;
        select.append(option);
      }
      select.value = state.picks[filter.key];
      select.addEventListener("change", () => {
        state.picks[filter.key] = select.value;
        changed();
        drawBody();
      });
      label.append(select);
      tools.append(label);
    }
  }

  /* Columns that are many are hidden at first; the visitor chooses among all. */
  function drawChooser() {
    if (!optional.length) return;
    const chooser = node("details", "chooser");
    chooser.append(node("summary", "", "Columns"));
    const list = node("div");
    for (const column of optional) {
      const label = node("label");
      const box = node("input");
      box.type = "checkbox";
      box.checked = isColumnShown(column);
      box.addEventListener("change", () => {
        if (box.checked === Boolean(column.hidden)) state.turned.add(column.key);
        else state.turned.delete(column.key);
        if (state.sort === column.key && !box.checked) state.sort = "";
        changed();
        drawHead();
        drawBody();
      });
      label.append(box, node("bdi", "", column.title));
      list.append(label);
    }
    chooser.append(list);
    tools.append(chooser);
  }

  function drawHead() {
    /* Redrawing must not lose the keyboard's place. */
    const focused = root.getRootNode().activeElement;
    const keep = focused && focused.dataset ? focused.dataset.key : "";
    const line = node("tr");
    for (const column of shownColumns()) {
      const cell = node("th", `c-${column.kind}`);
      cell.scope = "col";
      if (!column.first) {
        cell.append(node("span", "", column.title));
        cell.title = column.help || "";
        line.append(cell);
        continue;
      }
      const isSorted = state.sort === column.key;
      const way = isSorted ? (state.dir > 0 ? "ascending" : "descending") : "none";
      cell.setAttribute("aria-sort", way);
      const button = node("button", "");
      button.type = "button";
      button.dataset.key = column.key;
      button.title = column.help || "";
      button.append(node("span", "", column.title));
      button.append(node("span", "way", isSorted ? (state.dir > 0 ? "▲" : "▼") : ""));
      button.addEventListener("click", () => toggle(column));
      cell.append(button);
      if (column.unit) cell.append(node("span", "unit", column.unit));
      line.append(cell);
    }
    head.replaceChildren(line);
    if (frame.isConnected) keepPlaces();
    if (keep) {
      const again = head.querySelector(`button[data-key="${CSS.escape(keep)}"]`);
      if (again) again.focus();
    }
  }

  /* Cards that came while the page was open. */
  function hasArrived(row) {
    return Boolean(model.arrived) && model.arrived.has(row.id);
  }

  function drawRow(row) {
    const line = node("tr", row.ranked ? "ranked" : "unranked");
    if (hasArrived(row)) line.classList.add("arrived");
    line.dataset.id = row.id;
    for (const column of shownColumns()) line.append(drawCell(column, row.cells[column.key], row));
    return line;
  }

  function drawBody() {
    const shown = model.rows.filter(isShown).sort(compare);
    const everyRanked = shown.filter((row) => row.ranked);
    const everyOther = shown.filter((row) => !row.ranked);
    const ranked = everyRanked.slice(0, state.shown);
    const rest = everyOther.slice(0, state.shown - ranked.length);
    const lines = ranked.map(drawRow);
    if (rest.length) {
      const line = node("tr", "divider");
      const cell = node("th", "", "Not ranked");
      cell.colSpan = shownColumns().length;
      cell.scope = "colgroup";
      line.append(cell);
      lines.push(line);
      for (const row of rest) {
        lines.push(drawRow(row));
        const why = node("tr", "reason");
        const text = node("td");
        text.colSpan = shownColumns().length;
        const inner = node("div");
        for (const reason of row.reasons) {
          const one = node("span");
          one.append(node("bdi", "", reason));
          inner.append(one);
        }
        text.append(inner);
        why.append(text);
        lines.push(why);
      }
    }
    body.replaceChildren(...lines);
    const left = shown.length - ranked.length - rest.length;
    more.hidden = !left;
    more.textContent = `Show ${Math.min(PAGE, left)} more of ${shown.length}`;
    status.textContent = shown.length === model.rows.length
      ? `${everyRanked.length} ranked, ${everyOther.length} not ranked`
      : `${shown.length} of ${model.rows.length} entries shown`;
  }

  /* The team's column stays beside that of the ranks. */
  function keepPlaces() {
    const first = head.querySelector("th");
    if (first) table.style.setProperty("--rank-width", `${first.offsetWidth}px`);
  }

  /* What the columns mean, for who has no pointer to hold over them. */
  function drawMeanings() {
    const meanings = node("details", "meanings");
    meanings.append(node("summary", "", "What the columns mean"));
    const list = node("dl");
    for (const column of model.columns) {
      if (!column.help) continue;
      const name = column.unit ? `${column.title} (${column.unit})` : column.title;
      list.append(node("dt", "", name), node("dd", "", column.help));
    }
    meanings.append(list);
    frame.append(meanings);
  }

  function drawAll() {
    tools.replaceChildren();
    drawTools();
    drawChooser();
    drawHead();
    drawBody();
  }

  drawAll();
  drawComparison();
  drawMeanings();
  root.replaceChildren(frame);
  keepPlaces();
  return {
    /* Follows the address: a link, or the browser's Back. */
    show(view) {
      if (view === writeView()) return;
      readView(view);
      drawAll();
    },
  };
}
