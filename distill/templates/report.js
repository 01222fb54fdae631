"use strict";
/* Shows the embedded rows. All text is written with textContent: this file never makes markup out of data.
   The filters and the open row live in the address (#outcome=dropped&row=...), so a view can be linked to. */
(() => {
  const byId = (id) => document.getElementById(id);
  const rows = JSON.parse(byId("data").textContent);
  const [form, list, article, found] = ["filters", "list", "row", "found"].map(byId);
  const narrow = matchMedia("(max-width: 800px)");
  const SHOWN = 500;
  const STEPS = { answered: "no answer", complete: "cut", accepted: "not accepted", dataset: "curation" };
  let matches = [];
  let current = null;
  let needle = null;
  let unfolded = false;

  const text = (value) => (value === null || value === undefined ? "" : typeof value === "string" ? value : value.text);
  const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const said = (fact) => fact && fact !== "(none)";
  const stepName = (step) => (step === null ? "" : STEPS[step] ?? step.replace("check:", ""));

  function el(tag, className, ...children) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children.filter((child) => child !== null));
    return node;
  }

  // ---- which rows

  const haystacks = new Map();
  function haystack(row) {
    if (!haystacks.has(row)) {
      const parts = [row.id, row.origin, row.question, row.prompt, row.gold, row.reason];
      for (const sample of row.samples) {
        parts.push(sample.thinking, sample.answer, sample.reason, ...sample.verdicts.map((verdict) => verdict.reason));
      }
      haystacks.set(row, parts.map(text).join("\n").toLowerCase());
    }
    return haystacks.get(row);
  }

  const verdictKeys = (row) => row.samples.flatMap((s) => s.verdicts.map((v) => `${v.check}:${v.status}`));
  const FILTERS = {
    outcome: { any: "any outcome", of: (row) => [row.outcome], name: (value) => value },
    lost: { any: "lost anywhere", of: (row) => (row.lost ? [row.lost] : []), name: (value) => `lost: ${stepName(value)}` },
    check: { any: "any verdict", of: verdictKeys, name: (value) => value.replace(/:(\w+)$/, " · $1") },
    language: { any: "any language", of: (row) => [row.language], name: (value) => value },
    category: { any: "any category", of: (row) => [row.category], name: (value) => value },
  };

  function fillSelects() {
    for (const [name, filter] of Object.entries(FILTERS)) {
      const counts = new Map();
      for (const row of rows) for (const value of new Set(filter.of(row))) counts.set(value, (counts.get(value) ?? 0) + 1);
      const select = form.elements[name];
      select.append(new Option(filter.any, ""));
      for (const value of [...counts.keys()].sort()) {
        select.append(new Option(`${filter.name(value)} (${number(counts.get(value))})`, value));
      }
      select.hidden = counts.size < 2 && name !== "outcome";
    }
  }

  function filter() {
    const query = form.elements.q.value.trim().toLowerCase();
    needle = query ? new RegExp(query.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"), "giu") : null;
    const wanted = Object.entries(FILTERS).map(([name, one]) => [form.elements[name].value, one.of]);
    matches = rows.filter(
      (row) => wanted.every(([value, of]) => !value || of(row).includes(value)) && (!query || haystack(row).includes(query)),
    );
    for (const name of Object.keys(FILTERS)) form.elements[name].classList.toggle("active", form.elements[name].value !== "");
    showList();
    show(matches.includes(current) ? current : matches[0] ?? null);
  }

  // ---- the list

  function showList() {
    list.replaceChildren(...matches.slice(0, SHOWN).map(item));
    const all = matches.length === rows.length ? "" : ` of ${number(rows.length)}`;
    const more = matches.length > SHOWN ? `, the first ${SHOWN} listed: search to narrow it` : "";
    found.textContent = matches.length ? `${number(matches.length)}${all} row${rows.length === 1 ? "" : "s"}${more}` : rows.length ? "No embedded row matches." : "";
  }

  function item(row) {
    const question = el("span", "question", text(row.question).slice(0, 160));
    question.dir = "auto";
    setLanguage(question, row);
    const note = row.outcome === "kept" ? [row.split, row.category] : [stepName(row.lost), row.category];
    const link = el("a", "", el("i", `dot ${row.outcome}`), question, el("small", "", note.filter(said).join(" · ")));
    link.href = `#row=${row.id}`;
    link.title = row.outcome;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      read(row);
    });
    const entry = el("li", "", link);
    entry.dataset.row = row.id;
    return entry;
  }

  function setLanguage(node, row) {
    if (/^[a-z]{2,3}(-[A-Za-z]+)?$/.test(row.language)) node.lang = row.language === "zh" ? "zh-CN" : row.language;
  }

  function step(by) {
    const next = matches[Math.max(0, Math.min(Math.min(matches.length, SHOWN) - 1, matches.indexOf(current) + by))];
    if (next) read(next);
  }

  // ---- one row

  function show(row) {
    current = row;
    [...list.children].forEach((entry, index) => {
      entry.firstChild.setAttribute("aria-current", matches[index] === row);
      if (matches[index] === row) reveal(entry);
    });
    article.hidden = row === null;
    article.replaceChildren(...(row === null ? [] : rowParts(row)));
    remember();
  }

  function read(row) {
    show(row);
    if (article.getBoundingClientRect().top < 0 || narrow.matches) article.scrollIntoView();
  }

  function reveal(entry) {
    const [top, bottom] = [entry.offsetTop, entry.offsetTop + entry.offsetHeight];
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }

  function rowParts(row) {
    return [
      rowHead(row),
      part("Question", body(row.question, row)),
      row.prompt === null ? null : folded("Prompt, as the student sees it", body(row.prompt, row)),
      row.gold === null ? null : part("Reference", body(row.gold, row)),
      row.reasoning === null ? null : folded("Explanation from the source", body(row.reasoning, row)),
      ...row.samples.map((sample) => samplePart(row, sample)),
      row.asked > row.samples.length ? el("p", "hint", `${row.asked - row.samples.length} more samples are not shown.`) : null,
      Object.keys(row.meta).length ? folded("More about this row", value(row.meta)) : null,
    ].filter((node) => node !== null);
  }

  function rowHead(row) {
    const place = `${matches.indexOf(row) + 1} of ${number(matches.length)}`;
    const [previous, next] = [el("button", "", "‹"), el("button", "", "›")];
    [previous.title, next.title] = ["Previous row (k)", "Next row (j)"];
    previous.addEventListener("click", () => step(-1));
    next.addEventListener("click", () => step(1));
    const badge = el("b", `badge ${row.outcome}`, row.outcome);
    const where = row.outcome === "kept" ? `in ${row.split}` : `lost: ${stepName(row.lost)}`;
    const facts = [where, row.language, row.category, row.origin].filter(said).map((fact) => el("bdi", "", fact));
    return el(
      "header", "",
      el("div", "bar-line", badge, el("span", "place", place), previous, next),
      el("p", "facts-line", ...facts, el("code", "", row.id)),
      row.outcome !== "kept" && text(row.reason) ? el("p", "reason", ...written(text(row.reason))) : null,
    );
  }

  function samplePart(row, sample) {
    const state = sample.written ? "written" : sample.accepted ? "accepted" : "not accepted";
    const facts = [sample.model, sample.finish && sample.finish !== "stop" ? `finish: ${sample.finish}` : null,
      sample.finished ? null : "cut", sample.tokens ? `${number(sample.tokens)} tokens` : null];
    const head = el("h4", "", `Sample ${sample.index}`, el("b", "", state), el("small", "", facts.filter(Boolean).join(" · ")));
    return el(
      "section", `sample ${sample.accepted ? "good" : "bad"}`,
      head,
      thinking(row, sample),
      body(sample.answer, row),
      el("ul", "verdicts", ...sample.verdicts.map(verdict)),
    );
  }

  function thinking(row, sample) {
    if (!text(sample.thinking)) return el("p", "hint", "No thinking.");
    const box = folded(`Thinking, ${number(sample.thinking.length)} characters`, body(sample.thinking, row));
    box.classList.add("thinking");
    box.open = unfolded || (needle !== null && text(sample.thinking).search(needle) >= 0);
    return box;
  }

  function verdict(one) {
    const score = one.score === null ? null : el("span", "score", `score ${one.score}`);
    const line = el("p", "", el("b", `status ${one.status}`, one.status), el("code", "", one.check), score);
    const reason = text(one.reason) ? el("p", "words", ...written(text(one.reason))) : null;
    const evidence = Object.keys(one.evidence).length ? value(one.evidence) : null;
    if (evidence && one.status !== "pass") return el("li", "", line, reason, evidence);
    return el("li", "", line, reason, evidence ? folded("Evidence", evidence) : null);
  }

  function part(title, node) {
    return el("section", "part", el("h4", "", title), node);
  }

  function folded(title, node) {
    return el("details", "", el("summary", "", title), node);
  }

  // ---- text, with what was searched for marked and fenced code set as code

  function body(value, row) {
    const node = el("div", "text");
    setLanguage(node, row);
    for (const { code, lines } of blocks(text(value))) {
      const block = el(code ? "pre" : "p", code ? "code" : "", ...written(lines.join("\n").replace(/^\n+|\s+$/g, "")));
      block.dir = code ? "ltr" : "auto";
      if (block.textContent) node.append(block);
    }
    if (value && typeof value === "object") {
      node.append(el("p", "cut", `Cut here: ${number(text(value).length)} of ${number(value.length)} characters are shown.`));
    }
    if (!node.firstChild) node.append(el("p", "hint", "Empty."));
    return node;
  }

  function blocks(string) {
    const found = [{ code: false, lines: [] }];
    for (const line of string.split("\n")) {
      const { code, lines } = found.at(-1);
      if (line.startsWith("```") && (!code || line.trim() === "```")) found.push({ code: !code, lines: [] });
      else lines.push(line);
    }
    return found;
  }

  function written(string) {
    if (needle === null) return [string];
    const pieces = [];
    let end = 0;
    for (const match of string.matchAll(needle)) {
      pieces.push(string.slice(end, match.index), el("mark", "", match[0]));
      end = match.index + match[0].length;
    }
    return [...pieces, string.slice(end)];
  }

  // ---- evidence and other values: tables where they are tables

  const isMapping = (one) => one !== null && typeof one === "object" && !Array.isArray(one);
  const isCut = (one) => isMapping(one) && Object.keys(one).join() === "text,length";

  function value(one) {
    if (isCut(one)) return body(one, { language: "" });
    if (Array.isArray(one)) return array(one);
    if (!isMapping(one)) return el("span", "value", ...written(one === null ? "NULL" : String(one)));
    if (Array.isArray(one.columns) && Array.isArray(one.rows)) return withRest(one);
    const pairs = Object.entries(one).map(([key, inner]) => el("div", "", el("dt", "", key), el("dd", "", value(inner))));
    return el("dl", "pairs", ...pairs);
  }

  function withRest({ columns, rows: lines, count, ...rest }) {
    const node = table(columns, lines, count);
    return Object.keys(rest).length ? el("div", "", node, value(rest)) : node;
  }

  function array(many) {
    if (!many.length) return el("span", "value", "none");
    if (many.every(isMapping)) {
      const columns = [...new Set(many.flatMap(Object.keys))];
      return table(columns, many.map((one) => columns.map((column) => (column in one ? one[column] : ""))));
    }
    if (many.some(Array.isArray)) return table(null, many);
    return el("span", "value", ...written(many.map((one) => (one === null ? "NULL" : isMapping(one) ? JSON.stringify(one) : String(one))).join(", ")));
  }

  function table(columns, lines, count = lines.length) {
    const head = columns && columns.length ? el("thead", "", el("tr", "", ...columns.map((name) => el("th", "", String(name))))) : null;
    const bodyRows = lines.map((line) => el("tr", "", ...(Array.isArray(line) ? line : [line]).map(cell)));
    const says = count > lines.length ? `the first ${lines.length} of ${number(count)} rows` : lines.length ? "" : "no rows";
    const note = says ? el("caption", "", says) : null;
    return el("div", "scroll", el("table", "result", note, head, el("tbody", "", ...bodyRows)));
  }

  function cell(one) {
    if (one === null) return el("td", "null", "NULL");
    const node = el("td", typeof one === "number" ? "number" : "");
    node.append(typeof one === "object" ? value(one) : String(one));
    return node;
  }

  // ---- the address and the keyboard

  function remember() {
    const state = new URLSearchParams();
    for (const name of ["q", ...Object.keys(FILTERS)]) if (form.elements[name].value) state.set(name, form.elements[name].value);
    if (current !== null && current !== rows[0]) state.set("row", current.id);
    const wanted = String(state) && `#${state}`;
    if (wanted !== location.hash && (wanted || location.hash.includes("="))) {
      history.replaceState(null, "", wanted || location.pathname + location.search);
    }
  }

  function recall() {
    if (location.hash.length > 1 && !location.hash.includes("=")) return;
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of ["q", ...Object.keys(FILTERS)]) {
      const field = form.elements[name];
      field.value = state.get(name) ?? "";
      if (field.selectedIndex === -1) {
        field.append(new Option(`${FILTERS[name].name(state.get(name))} (0)`, state.get(name)));
        field.value = state.get(name);
      }
    }
    current = rows.find((row) => row.id === state.get("row")) ?? null;
    const arrived = String(state) !== "";
    filter();
    if (arrived) byId("rows").scrollIntoView();
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && typing) event.target.blur();
    if (typing) return;
    const action = { j: () => step(1), k: () => step(-1), "/": () => form.elements.q.focus(), t: toggleThinking }[event.key];
    if (!action) return;
    event.preventDefault();
    byId("rows").scrollIntoView({ block: "nearest" });
    action();
  }

  function toggleThinking() {
    unfolded = !unfolded;
    for (const box of article.querySelectorAll(".thinking")) box.open = unfolded;
  }

  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 80);
  });
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", recall);
  addEventListener("keydown", key);

  fillSelects();
  if (rows.length) form.hidden = byId("browser").hidden = false;
  recall();
  if (!matches.length) filter();
})();
