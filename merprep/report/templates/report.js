"use strict";
(() => {
  const compare = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare;
  const announcer = document.getElementById("announcer");

  // What a cell is sorted by: the number behind it, or its text; cells without a value come last either way.
  const keyOf = (row, column, numeric) => {
    const cell = row.cells[column];
    const text = cell.textContent.trim();
    if (text === "" || text === "–") return null;
    if (!numeric) return text;
    const value = Number.parseFloat(cell.dataset.sort ?? text);
    return Number.isNaN(value) ? null : value;
  };

  const sort = (table, head, column) => {
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    const numeric = head.classList.contains("number");
    const sign = ascending ? 1 : -1;
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [keyOf(row, column, numeric), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (numeric ? a - b : compare(a, b));
    });
    body.append(...keyed.map(([, row]) => row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    announcer.textContent = `Sorted by ${head.textContent.trim()}, ${ascending ? "ascending" : "descending"}`;
  };

  const filter = (rows, input, output) => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    output.textContent = words.length ? `${shown} of ${rows.length} rows` : `${rows.length} rows`;
  };

  for (const box of document.querySelectorAll("[data-table]")) {
    const table = box.querySelector("table");
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, head, column));
    });
    const controls = box.querySelector(".filter");
    if (controls) {
      const rows = [...table.tBodies[0].rows];
      const input = controls.querySelector("input");
      controls.hidden = false;
      input.addEventListener("input", () => filter(rows, input, controls.querySelector("output")));
    }
  }

  // Figures are saved as they are drawn, in black on white whatever the screen's theme.
  const PRINT_WIDTH = 2126; // 18 cm, a page's width, at 300 dots an inch

  const standalone = (figure) => {
    const svg = figure.querySelector("svg").cloneNode(true);
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of [["width", width], ["height", height], ["fill", "#ffffff"]]) paper.setAttribute(name, value);
    svg.insertBefore(paper, svg.firstChild);
    svg.setAttribute("color", "#111111");
    return { text: new XMLSerializer().serializeToString(svg), width, height };
  };

  const download = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const savePng = ({ text, width, height }, name) => {
    const image = new Image();
    const scale = PRINT_WIDTH / width;
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = PRINT_WIDTH;
      canvas.height = Math.round(height * scale);
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => download(blob, name), "image/png");
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  };

  for (const controls of document.querySelectorAll(".save")) controls.hidden = false;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-save]");
    if (!button) return;
    const drawn = standalone(button.closest("figure"));
    const name = `${button.dataset.name}.${button.dataset.save}`;
    if (button.dataset.save === "png") savePng(drawn, name);
    else download(new Blob([drawn.text], { type: "image/svg+xml" }), name);
  });
})();
