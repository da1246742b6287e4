// Linked maps of the same marks. Data: {signature, alt, colours, legend: [{colour, word}],
// continuous, marks: {colour,
// entity, partner}, entities: {labels, pictures}, views: [{title, frames: [{title, x, y}], names:
// [{name, x, y}], stars: [{label, x, y, colour}], shown}], mine, joined: [entity], links: {from, to},
// asked: {n, lit}}. Arrays of numbers are base64 (floats of 4 bytes, whole numbers of 4); places lie
// within -1 and 1. A mark is of an entity (a person has two), and is joined to its partner when it
// is lit. A view shows all marks, or those of ``shown``; an entity lights what ``links`` join it to.
import { contourDensity } from "d3-contour";
import { scaleLinear } from "d3-scale";
import createScatterplot, { createRenderer } from "regl-scatterplot";

/** @typedef {ReturnType<typeof view>} View */
const GRID = 256, STEP = 900, MOST_LINES = 400, MOST_FOUND = 500, DENSE = 10_000, SEAT = 26;
const LOOKS = {
  light: { back: "#FFFFFF", ink: "#1F2733", line: "#6B6B6B", ring: "#B36B00", lasso: "#3F4E63" },
  dark: { back: "#14181F", ink: "#E6E9EE", line: "#B3B3B3", ring: "#E69F00", lasso: "#8FAAD6" },
};
// Looks follow the theme, which can change while the page is open and nothing is sent.
const looksOf = (root) => LOOKS[getComputedStyle(root).colorScheme.includes("dark") ? "dark" : "light"];
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export default function ({ data, parentElement, setStateValue }) {
  let maps = parentElement.querySelector(".maps")?.maps;
  if (maps?.signature !== data.signature) {
    const before = maps;
    before?.stop();
    try {
      maps = build(data, parentElement);
      if (before) maps.goOn(before);
    } catch (error) {
      setStateValue("failed", String(error));
      return;
    }
  }
  maps.report = (lit) => setStateValue("lit", lit);
  maps.ask(data.asked);
  return () => setTimeout(() => maps.root.isConnected || maps.stop(), 0);
}

function build(data, parent) {
  const root = make("div", "maps");
  const marks = {
    colour: data.continuous ? floats(data.marks.colour) : whole(data.marks.colour),
    entity: whole(data.marks.entity),
    partner: whole(data.marks.partner),
  };
  const of = new Map(); // entity -> its marks
  const put = (map, key, value) => (map.has(key) ? map.get(key).push(value) : map.set(key, [value]));
  marks.entity.forEach((e, mark) => put(of, e, mark));
  const near = new Map(); // entity -> those it is linked to
  const [from, to] = [whole(data.links.from), whole(data.links.to)];
  from.forEach((e, i) => (put(near, e, to[i]), put(near, to[i], e)));
  const marksOf = (entities) => [...new Set(entities.flatMap((e) => [e, ...(near.get(e) || [])]))]
    .flatMap((e) => of.get(e) || []);
  const maps = { root, signature: data.signature, ...data.entities, lit: [], asked: -1, report: () => {} };
  root.maps = maps;
  const row = make("div", "views");
  const tip = make("div", "tip");
  const said = Object.assign(make("span", "said"), { role: "status" });
  root.append(controls(), row, tip);
  parent.append(root);
  // One for all views and no larger than they are: its own would be as large as the window, each.
  const renderer = createRenderer({ canvas: make("canvas") });
  const shared = { data, marks, renderer, fit, looks: { ...looksOf(root) },
    layers: new Set(["names"]), joined: data.joined.flatMap((e) => of.get(e) || []),
    mine: of.get(data.mine) || [] };
  const views = /** @type {View[]} */ (maps.views = data.views.map((spec) => view(row, spec, shared)));
  fit();
  views.forEach((here) => {
    here.plot.subscribe("select", ({ points }) => select(new Set(points.map((m) => marks.entity[m]))));
    here.plot.subscribe("deselect", () => select(new Set()));
    here.plot.subscribe("pointOver", (mark) => point(here, mark));
    here.plot.subscribe("pointOut", () => point(here, -1));
  });
  const themed = new MutationObserver(() => {
    Object.assign(shared.looks, looksOf(root));
    for (const each of views) each.dress();
  });
  themed.observe(root.closest(".stApp") || document.body, { attributeFilter: ["class"] });

  function fit() {
    const size = ["clientWidth", "clientHeight"].map((side) => Math.max(1, ...views.map((v) => v.stage[side])));
    if (String(size) === String(maps.size)) return;
    renderer.resize(...(maps.size = /** @type {[number, number]} */ (size)));
    for (const { plot } of views) plot.redraw();
  }
  // A gesture of the visitor: light it everywhere and report it once.
  function select(entities) {
    light([...entities]);
    maps.report(maps.lit);
  }
  function light(entities) {
    maps.lit = entities;
    for (const each of views) each.light(marksOf(entities));
    said.textContent = `${entities.length.toLocaleString()} selected`;
  }
  function point(here, mark) {
    for (const each of views) if (each !== here)
      if (near.size) each.light(marksOf(mark < 0 ? maps.lit : [marks.entity[mark]]));
      else each.plot.hover(mark, { preventEvent: true });
    if ((tip.hidden = mark < 0)) return;
    const entity = marks.entity[mark];
    const picture = data.entities.pictures[entity];
    tip.replaceChildren(...(picture ? [Object.assign(make("img"), { src: picture, alt: "" })] : []),
      make("span", "", data.entities.labels[entity]));
    const [x, y] = here.place(mark);
    const [box, all] = [here.box.getBoundingClientRect(), root.getBoundingClientRect()];
    tip.style.left = `${Math.min(box.left - all.left + x + 12, all.width - 190)}px`;
    tip.style.top = `${box.top - all.top + y + 12}px`;
  }
  function find(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return;
    const found = [];
    data.entities.labels.forEach((label, e) => {
      const text = label.toLowerCase();
      if (found.length < MOST_FOUND && words.every((w) => text.includes(w))) found.push(e);
    });
    select(new Set(found));
    for (const { plot, shown } of views) {
      const points = marksOf(found).filter(shown);
      if (points.length) plot.zoomToPoints(points, { padding: 0.6, transition: !still(), transitionDuration: STEP / 2 });
    }
    said.textContent = found.length ? `${found.length} found and selected` : "Nothing found";
  }
  function controls() {
    const bar = make("div", "controls");
    const modes = /** @type {const} */ ({ Lasso: "lasso", Move: "panZoom" });
    const press = (on) => buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === on)));
    const buttons = Object.entries(modes).map(([word, mouseMode]) =>
      button(word, (own) => (views.forEach(({ plot }) => plot.set({ mouseMode })), press(own))));
    press(buttons[0]);
    const search = Object.assign(make("input"), { type: "search", placeholder: "Find",
      ariaLabel: "Find in the maps by words" });
    search.onkeydown = (event) => event.key === "Enter" && find(search.value);
    const layers = { ...(data.views.some((v) => v.names.length) && { names: "Words" }), density: "Density",
      ...(Object.keys(data.entities.pictures).length > 0 && { pictures: "Pictures" }) };
    bar.append(...buttons, button("Whole map", () => views.forEach(({ plot }) => plot.reset())), search,
      ...Object.entries(layers).map(([layer, word]) => box(word, layer === "names", async (on) => {
        if (on) shared.layers.add(layer); else shared.layers.delete(layer);
        if (layer === "pictures") await load();
        for (const each of views) each.over();
      })), ...data.legend.map(({ colour, word }) => {
        const entry = make("span", "entry", word);
        entry.style.setProperty("--colour", colour);
        return entry;
      }), said);
    return bar;
  }
  // Pictures are read once somebody wants to see them.
  async function load() {
    shared.pictures ??= await Promise.all(Object.entries(data.entities.pictures).flatMap(([e, src]) =>
      (of.get(+e) || []).map(async (mark) => {
        const image = Object.assign(new Image(), { src });
        return image.decode().then(() => [mark, image], () => [mark, null]);
      })));
  }
  maps.ask = (asked) => asked.n !== maps.asked && ((maps.asked = asked.n), light(asked.lit));
  maps.goOn = (before) => ((maps.asked = before.asked), light(before.lit));
  maps.stop = () => (themed.disconnect(), views.forEach((each) => each.stop()), renderer.destroy(), root.remove());
  return maps;
}

// One map: WebGL below, and what is written and drawn over it on a canvas of its own.
function view(row, spec, shared) {
  const { data, marks, looks, layers } = shared;
  const box = make("div", "view");
  const title = make("div", "title", spec.title);
  const stage = make("div", "stage");
  const [canvas, top] = [make("canvas"), make("canvas", "over")];
  Object.assign(canvas, { role: "img", ariaLabel: `${spec.title}: ${data.alt}` });
  stage.append(canvas, top);
  notAClick(stage);
  box.append(title, stage);
  row.append(box);
  const frames = spec.frames.map((f) => ({ title: f.title, x: floats(f.x), y: floats(f.y) }));
  const [xScale, yScale] = [scaleLinear().domain([-1, 1]), scaleLinear().domain([-1, 1])];
  const many = marks.colour.length > DENSE;
  const dressed = () => ({ lassoColor: looks.lasso, backgroundColor: looks.back, pointColorHover: looks.ink });
  const plot = createScatterplot({
    canvas, renderer: shared.renderer, xScale, yScale, aspectRatio: 1, mouseMode: "lasso", ...dressed(), colorBy: "valueA",
    pointColor: data.colours, pointColorActive: data.colours, pointSize: many ? 3 : 7,
    pointSizeSelected: 3, opacityInactiveMax: 0.15,
    ...(many ? { opacityBy: /** @type {any} */ ("density") } : { opacity: 0.8 }),
  });
  let [at, lit, busy, contour] = [frames.length - 1, [], false, /** @type {Path2D | null} */ (null)];
  const filter = spec.shown ? [...whole(spec.shown)] : undefined;
  const own = new Set(filter), shown = (mark) => !filter || own.has(mark);

  async function show(frame, transition) {
    at = frame;
    busy = transition;
    title.textContent = frames.length > 1 ? `${spec.title} (${frames[at].title})` : spec.title;
    over();
    const { x, y } = frames[at];
    await plot.draw({ x, y, valueA: marks.colour }, { select: lit, filter, transition, transitionDuration: STEP,
      zDataType: data.continuous ? "continuous" : "categorical" });
    [busy, contour] = [false, null];
    over();
  }
  function over() {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [stage.clientWidth, stage.clientHeight];
    Object.assign(top, { width: width * ratio, height: height * ratio });
    const pen = top.getContext("2d");
    pen.scale(ratio, ratio);
    if (busy) return;
    const { x, y } = frames[at];
    if (layers.has("density")) drawContour(pen, ratio, (contour ??= contours(x, y, shown)), xScale, yScale, looks);
    if (layers.has("pictures")) drawPictures(pen, shared.pictures || [], x, y, shown, xScale, yScale);
    pen.strokeStyle = looks.line;
    pen.beginPath();
    for (const mark of (lit.length ? lit : shared.joined).slice(0, MOST_LINES)) {
      const other = marks.partner[mark];
      if (other < 0) continue;
      pen.moveTo(xScale(x[mark]), yScale(y[mark]));
      pen.lineTo(xScale(x[other]), yScale(y[other]));
    }
    pen.stroke();
    for (const mark of shared.mine.filter(shown)) ring(pen, xScale(x[mark]), yScale(y[mark]), looks);
    if (layers.has("names"))
      for (const n of spec.names) write(pen, n.name, xScale(n.x), yScale(n.y), looks);
    for (const s of spec.stars) write(pen, `★ ${s.label}`, xScale(s.x), yScale(s.y), looks, s.colour);
  }
  plot.subscribe("view", over);
  const seen = new ResizeObserver(() => (shared.fit(), over()));
  seen.observe(stage);
  if (frames.length > 1) box.append(player(frames, show));
  const ready = show(at, false);
  return {
    box, stage, plot, over, shown,
    dress: () => (plot.set(dressed()), over()),
    place: (mark) => [xScale(frames[at].x[mark]), yScale(frames[at].y[mark])],
    light(points) {
      if (!lit.length && !points.some(shown)) return; // to draw again takes as long as at first
      lit = points.filter(shown);
      ready.then(() => {
        if (lit.length) plot.select(lit, { preventEvent: true });
        else plot.deselect({ preventEvent: true });
        over();
      });
    },
    stop: () => (seen.disconnect(), plot.destroy()),
  };
}

// A lasso that ends where it began is not a click on what lies there.
function notAClick(stage) {
  let [from, far] = [/** @type {MouseEvent | null} */ (null), 0];
  stage.addEventListener("mousedown", (e) => ([from, far] = [e, 0]), true);
  stage.addEventListener("mousemove", (e) => {
    if (from) far = Math.max(far, Math.hypot(e.clientX - from.clientX, e.clientY - from.clientY));
  }, true);
  stage.addEventListener("click", (e) => {
    if (far > 8) e.stopPropagation();
    from = null;
  }, true);
}

// Epoch by epoch, by hand or played.
function player(frames, show) {
  const bar = make("div", "controls");
  const slider = Object.assign(make("input"), { type: "range", min: 0, max: frames.length - 1, step: 1,
    value: frames.length - 1, ariaLabel: "Moment of the training" });
  const word = () => (slider.ariaValueText = frames[slider.value].title);
  let [playing, drawn] = [false, Promise.resolve()]; // while a map is drawn, it takes nothing else
  const play = button("Play", async () => {
    playing = !playing;
    play.textContent = playing ? "Pause" : "Play";
    if (playing && +slider.value === frames.length - 1) await go(0);
    while (playing && +slider.value < frames.length - 1) {
      await go(+slider.value + 1);
      if (still()) await new Promise((done) => setTimeout(done, STEP));
    }
    playing = false;
    play.textContent = "Play";
  });
  function go(frame) {
    slider.value = frame;
    word();
    return (drawn = drawn.catch(() => {}).then(() => show(frame, !still())));
  }
  slider.oninput = () => go(+slider.value);
  word();
  bar.append(play, slider);
  return bar;
}

function contours(x, y, shown) {
  const place = (v) => ((v + 1) / 2) * GRID;
  const points = Array.from(x, (a, i) => /** @type {[number, number]} */ ([place(a), place(y[i])]));
  const lines = contourDensity().size([GRID, GRID]).bandwidth(GRID / 40).thresholds(6)(
    points.filter((_, i) => shown(i)));
  const path = new Path2D();
  for (const ring of lines.flatMap((l) => l.coordinates.flat()))
    ring.forEach(([a, b], i) => (i ? path.lineTo(a, b) : path.moveTo(a, b)));
  return path;
}

function drawContour(pen, ratio, path, xScale, yScale, looks) {
  const unit = [(xScale(1) - xScale(-1)) / GRID, (yScale(1) - yScale(-1)) / GRID];
  pen.save();
  pen.setTransform(ratio * unit[0], 0, 0, ratio * unit[1], ratio * xScale(-1), ratio * yScale(-1));
  Object.assign(pen, { strokeStyle: looks.line, lineWidth: 1 / Math.abs(unit[0]), globalAlpha: 0.6 });
  pen.stroke(path);
  pen.restore();
}

// None on another: what is too near to one that is drawn comes as one zooms in.
function drawPictures(pen, pictures, x, y, shown, xScale, yScale) {
  const taken = new Set();
  for (const [mark, image] of pictures) {
    const [left, top] = [xScale(x[mark]) - SEAT / 2, yScale(y[mark]) - SEAT / 2];
    const seat = `${Math.round(left / SEAT)} ${Math.round(top / SEAT)}`;
    if (!image || !shown(mark) || taken.has(seat)) continue;
    taken.add(seat);
    pen.drawImage(image, left, top, SEAT, SEAT);
  }
}

function ring(pen, x, y, looks) {
  Object.assign(pen, { strokeStyle: looks.ring, lineWidth: 3 });
  pen.beginPath();
  pen.arc(x, y, 10, 0, 2 * Math.PI);
  pen.stroke();
}

function write(pen, words, x, y, looks, colour = looks.ink) {
  Object.assign(pen, { font: "600 14px 'Source Sans', sans-serif", textAlign: "center", lineWidth: 4,
    strokeStyle: looks.back, fillStyle: colour, lineJoin: "round" });
  pen.strokeText(words, x, y);
  pen.fillText(words, x, y);
}

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const floats = (text) => new Float32Array(bytes(text));
const whole = (text) => new Int32Array(bytes(text));

const make = (tag, className = "", textContent = "") =>
  Object.assign(document.createElement(tag), { className, textContent });
const button = (words, act) => Object.assign(make("button", "", words),
  { type: "button", onclick: ({ currentTarget }) => act(currentTarget) });

function box(words, checked, act) {
  const [label, onchange] = [make("label"), ({ currentTarget }) => act(currentTarget.checked)];
  label.append(Object.assign(make("input"), { type: "checkbox", checked, onchange }), ` ${words}`);
  return label;
}
