/* The ranking table: built from one JSON model, sorted and filtered here, in the app and in the
   static site alike. Every text is set as a text node, so nothing that a team wrote is markup. */

function boardTable(root, model, hooks) {
  "use strict";
  const state = { sort: "", dir: 1, q: "", picks: {} };
  readView(model.view || "");

  function readView(view) {
    const parts = new URLSearchParams(view);
    const sort = parts.get("sort") || "";
    state.dir = sort.startsWith("-") ? -1 : 1;
    state.sort = sort.replace(/^-/, "");
    if (!model.columns.some((column) => column.key === state.sort)) state.sort = "";
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
    for (const [key, value] of Object.entries(state.picks)) if (value) parts.set(key, value);
    return parts.toString();
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
      box.append(node("span", "none", "–"));
      return box;
    }
    if (cell.tip) box.title = cell.tip;
    if (column.kind === "entry") {
      const link = node("a", "team");
      link.append(node("bdi", "", cell.t));
      link.href = row.href;
      box.append(link);
      const title = node("span", "title");
      title.append(node("bdi", "", cell.s));
      title.title = cell.s;
      box.append(title);
      return box;
    }
    if (column.kind === "badge") {
      box.append(node("span", `badge ${cell.tone || ""}`, cell.t));
      return box;
    }
    if (cell.s && column.kind === "rate") box.append(node("span", "aside", cell.s));
    box.append(node("span", cell.v === null ? "none" : "value", cell.t));
    if (cell.s && column.kind !== "rate") box.append(node("span", "sub", cell.s));
    if (cell.mark) box.append(node("span", "mark", cell.mark));
    if (cell.lo !== undefined && column.range) box.append(intervalBar(cell, column.range));
    else if (column.range) box.append(node("span", "spacer"));
    if (cell.share !== undefined) box.append(shareBar(cell.share));
    return box;
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

  let pending = 0;
  function changed() {
    if (!hooks.view) return;
    clearTimeout(pending);
    pending = setTimeout(() => hooks.view(writeView()), 300);
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
  frame.append(tools, scroller, status);

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
      changed();
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

  function drawHead() {
    /* Redrawing must not lose the keyboard's place. */
    const focused = root.getRootNode().activeElement;
    const keep = focused && focused.dataset ? focused.dataset.key : "";
    const line = node("tr");
    for (const column of model.columns) {
      const cell = node("th", `c-${column.kind}`);
      cell.scope = "col";
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
    if (keep) {
      const again = head.querySelector(`button[data-key="${CSS.escape(keep)}"]`);
      if (again) again.focus();
    }
  }

  function drawRow(row) {
    const line = node("tr", row.ranked ? "ranked" : "unranked");
    line.dataset.id = row.id;
    for (const column of model.columns) line.append(drawCell(column, row.cells[column.key], row));
    return line;
  }

  function drawBody() {
    const shown = model.rows.filter(isShown).sort(compare);
    const ranked = shown.filter((row) => row.ranked);
    const rest = shown.filter((row) => !row.ranked);
    const lines = ranked.map(drawRow);
    if (rest.length) {
      const line = node("tr", "divider");
      const cell = node("th", "", "Not ranked");
      cell.colSpan = model.columns.length;
      cell.scope = "colgroup";
      line.append(cell);
      lines.push(line);
      for (const row of rest) {
        lines.push(drawRow(row));
        const why = node("tr", "reason");
        const text = node("td");
        text.colSpan = model.columns.length;
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
    status.textContent = shown.length === model.rows.length
      ? `${ranked.length} ranked, ${rest.length} not ranked`
      : `${shown.length} of ${model.rows.length} entries shown`;
  }

  drawTools();
  drawHead();
  drawBody();
  root.replaceChildren(frame);
}
