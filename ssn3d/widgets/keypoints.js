// The annotator in the page. It draws each change at once and sends it to Python; what Python then
// reports replaces what was drawn.

const STYLE = `
.ssn3d-annotator { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start;
  padding: 12px; border: 1px solid var(--jp-border-color2, #bdbdbd); border-radius: 4px;
  color: var(--jp-ui-font-color1, CanvasText); background: var(--jp-layout-color1, Canvas);
  font: 13px/1.5 var(--jp-ui-font-family, system-ui, sans-serif); }
.ssn3d-annotator :focus-visible, .ssn3d-annotator:focus-visible {
  outline: 2px solid var(--jp-brand-color1, Highlight); outline-offset: 2px; }
.ssn3d-annotator:focus-within { border-color: var(--jp-brand-color1, Highlight); }
.ssn3d-annotator .stage { position: relative; flex: none; max-width: 100%; cursor: crosshair;
  touch-action: none; user-select: none; }
.ssn3d-annotator .stage img { display: block; width: 100%; }
.ssn3d-annotator .mark { position: absolute; width: 14px; height: 14px; margin: -7px 0 0 -7px;
  box-sizing: border-box; border: 3px solid; border-radius: 50%; cursor: grab;
  box-shadow: 0 0 0 1.5px white, inset 0 0 0 1px white; }
.ssn3d-annotator .mark.chosen { box-shadow: 0 0 0 2px white, 0 0 0 4px black; }
.ssn3d-annotator .mark span { position: absolute; left: 11px; top: -15px; padding: 0 3px;
  border-radius: 3px; background: white; color: black; font-size: 11px; line-height: 14px;
  pointer-events: none; }
.ssn3d-annotator .panel { flex: 1 1 200px; min-width: 0; max-width: 320px; }
.ssn3d-annotator .name { overflow-wrap: anywhere; font-weight: 600; }
.ssn3d-annotator progress { display: block; width: 100%; margin: 2px 0 10px;
  accent-color: var(--jp-brand-color1, Highlight); }
.ssn3d-annotator button { font: inherit; color: inherit; padding: 3px 8px; cursor: pointer;
  border: 1px solid var(--jp-border-color2, #bdbdbd); border-radius: 3px;
  background: var(--jp-layout-color2, ButtonFace); }
.ssn3d-annotator button[aria-disabled="true"] { opacity: 0.45; cursor: default; }
.ssn3d-annotator .parts button { display: flex; gap: 8px; align-items: center; width: 100%;
  margin-bottom: 3px; text-align: left; background: none; }
.ssn3d-annotator .parts button[aria-pressed="true"] {
  border-color: var(--jp-brand-color1, Highlight); background: var(--jp-layout-color2, ButtonFace);
  box-shadow: inset 3px 0 var(--jp-brand-color1, Highlight); }
.ssn3d-annotator .dot { flex: none; width: 12px; height: 12px; box-sizing: border-box;
  border: 3px solid; border-radius: 50%; box-shadow: 0 0 0 1px white; }
.ssn3d-annotator .state { margin-left: auto; color: var(--jp-ui-font-color2, inherit); }
.ssn3d-annotator .tools { display: flex; flex-wrap: wrap; gap: 4px; margin: 8px 0; }
.ssn3d-annotator .keys { color: var(--jp-ui-font-color2, inherit); font-size: 12px; }
.ssn3d-annotator .problem { color: var(--jp-error-color1, #b00020); overflow-wrap: anywhere; }
`;
const [UNLABELLED, HIDDEN, VISIBLE] = [0, 1, 2];
const STATES = ["", "not visible", "✓"];
const HEIGHT = 480; // of the picture in the page, in pixels, where there is room
const SLIP = 3; // pixels; a click that moves a point by less only chooses it
const STEP = 0.01; // how far an arrow key moves a point, as a share of the picture

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text; // never as HTML: users choose the names of files and parts
  return element;
}

function button(text, label, act) {
  const element = make("button", "", text);
  element.type = "button";
  element.setAttribute("aria-label", label);
  element.addEventListener("click", act);
  return element;
}

function render({ model, el }) {
  const parts = model.get("parts");
  const colours = model.get("colours");
  let marks = []; // as drawn; Python has not confirmed the latest ones
  let chosen = 0;
  let held = null; // the point under the mouse button, while it is down

  const root = make("div", "ssn3d-annotator");
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Points to click on a picture");
  root.dataset.lmSuppressShortcuts = "true"; // at an x, JupyterLab would cut the cell
  const style = make("style", "", STYLE);

  const stage = make("div", "stage");
  const image = make("img", "");
  image.draggable = false;
  image.addEventListener("load", () => {
    const width = (HEIGHT * image.naturalWidth) / image.naturalHeight;
    stage.style.width = `min(100%, ${width}px)`;
  });
  stage.append(image);
  const points = parts.map((part, n) => {
    const point = make("div", "mark");
    point.style.borderColor = colours[n];
    point.append(make("span", "", `${n + 1}`));
    stage.append(point);
    return point;
  });

  const panel = make("div", "panel");
  const name = make("div", "name");
  const count = make("div", "count");
  count.setAttribute("role", "status");
  const progress = make("progress", "");
  progress.setAttribute("aria-label", "labelled pictures");
  const list = make("div", "parts");
  list.setAttribute("role", "group");
  list.setAttribute("aria-label", "Parts");
  const rows = parts.map((part, n) => {
    const row = button("", "", () => choose(n));
    row.removeAttribute("aria-label"); // its text names it
    const dot = make("span", "dot");
    dot.style.borderColor = colours[n];
    row.append(dot, make("span", "", `${n + 1}  ${part}`), make("span", "state"));
    list.append(row);
    return row;
  });
  const back = button("←", "previous picture", () => go(-1));
  const next = button("→", "next picture", () => go(1));
  const hide = button("not visible", "the chosen part is not visible", () => hideChosen());
  const undo = button("undo", "undo the last change", () => model.send({ do: "undo" }));
  const tools = make("div", "tools");
  tools.append(back, next, hide, undo);
  const keys = make("div", "keys", "Click to set a point, drag to move it. Keys: digits choose " +
    "the part, ← → the picture, x not visible, u undo, shift with arrows moves the point.");
  const problem = make("div", "problem");
  problem.setAttribute("role", "alert");
  panel.append(name, count, progress, list, tools, keys, problem);
  root.append(style, stage, panel);
  el.append(root);

  function go(step) {
    model.send({ do: "go", step });
  }

  function choose(part) {
    if (part < parts.length) chosen = part;
    draw();
  }

  // Choose the next part without a label, if there is one.
  function chooseNext() {
    for (let n = 1; n < parts.length; n++) {
      const other = (chosen + n) % parts.length;
      if (marks[other][2] === UNLABELLED) return choose(other);
    }
    return draw();
  }

  function put(part, x, y) {
    const known = marks[part][2] !== UNLABELLED;
    marks[part] = [x, y, VISIBLE];
    chosen = part;
    model.send({ do: "put", index: model.get("index"), part, x, y });
    if (known) draw();
    else chooseNext();
  }

  function hideChosen() {
    marks[chosen] = [0, 0, HIDDEN];
    model.send({ do: "hide", index: model.get("index"), part: chosen });
    chooseNext();
  }

  function move(right, down) {
    const [x, y] = marks[chosen][2] === VISIBLE ? marks[chosen] : [0.5, 0.5];
    const part = chosen;
    put(part, within(x + right * STEP), within(y + down * STEP));
    choose(part);
  }

  function draw() {
    marks.forEach((mark, n) => {
      const [x, y, v] = held?.part === n && held.moved ? [held.x, held.y, VISIBLE] : mark;
      points[n].hidden = v !== VISIBLE;
      points[n].style.left = `${100 * x}%`;
      points[n].style.top = `${100 * y}%`;
      points[n].classList.toggle("chosen", n === chosen);
      rows[n].setAttribute("aria-pressed", n === chosen);
      rows[n].lastChild.textContent = STATES[v];
    });
  }

  // Show the state in Python.
  function sync() {
    const [index, all, done] = ["index", "count", "labelled"].map((trait) => model.get(trait));
    marks = model.get("marks").map((mark) => [...mark]);
    name.textContent = model.get("name");
    image.alt = model.get("name");
    count.textContent = `picture ${index + 1} of ${all}, ${done} of ${all} labelled`;
    progress.max = all;
    progress.value = done;
    back.setAttribute("aria-disabled", index === 0);
    next.setAttribute("aria-disabled", index === all - 1);
    problem.textContent = model.get("problem");
    draw();
  }

  function turn() {
    held = null;
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/png" }));
    chosen = parts.length - 1;
    chooseNext();
  }

  function place(event) {
    const box = image.getBoundingClientRect();
    return {
      x: within((event.clientX - box.left) / box.width),
      y: within((event.clientY - box.top) / box.height),
    };
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    root.focus({ preventScroll: true });
    const grabbed = points.indexOf(event.target.closest(".mark"));
    held = grabbed < 0
      ? { part: chosen, moved: true, ...place(event) }
      : { part: grabbed, moved: false, from: [event.clientX, event.clientY] };
    stage.setPointerCapture(event.pointerId);
    choose(held.part);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!held) return;
    const [x, y] = held.from ?? [];
    if (!held.moved && Math.hypot(event.clientX - x, event.clientY - y) < SLIP) return;
    held = { part: held.part, moved: true, ...place(event) };
    draw();
  });
  stage.addEventListener("pointerup", () => {
    const done = held;
    held = null;
    if (done?.moved) put(done.part, done.x, done.y);
  });
  stage.addEventListener("pointercancel", () => {
    held = null;
    draw();
  });

  root.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key; // caps lock or not
    if (event.altKey || (event.ctrlKey || event.metaKey) !== (key === "z")) return;
    const shifted = {
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
    }[key];
    if (event.shiftKey && shifted) move(...shifted);
    else if (key === "ArrowLeft") go(-1);
    else if (key === "ArrowRight") go(1);
    else if (/^[0-9]$/.test(key)) choose((Number(key) + 9) % 10);
    else if (key === "x") hideChosen();
    else if (key === "u" || key === "z") model.send({ do: "undo" });
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  for (const trait of ["marks", "labelled", "problem", "index"]) model.on(`change:${trait}`, sync);
  model.on("change:index", turn);
  model.on("msg:custom", (undone) => choose(undone.part));
  sync();
  turn();
  return () => URL.revokeObjectURL(image.src);
}

function within(share) {
  return Math.min(1, Math.max(0, share));
}

export default { render };
