// The fold-in, drawn: likes, then a box for each stage with what it adds to one item's score, then
// the score growing below. Data: {likes: [{title, picture}], more, stages: [{name, title, say,
// adds, parts: [{label, colour, value}]}], item: {title, picture}, map: {points, path}}. Pictures may
// be empty: then titles are written. Places on the map lie within 0 and 1; ``path`` has the vector's after each stage, null where there is none.
const NS = "http://www.w3.org/2000/svg";
const WIDE = 1000, TOP = 24, BOX = { w: 118, h: 118, gap: 16 }, LEFT = 150, BAR = 236;
const MAP = { x: 820, y: 176, w: 170, h: 145 };
const STEP = 1600; // milliseconds between steps while it plays

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const signed = (v) => `${v < 0 ? "−" : "+"}${Math.abs(v).toFixed(2)}`;

export default function ({ data, parentElement }) {
  parentElement.querySelector(".flow")?.stop?.();
  parentElement.querySelector(".flow")?.remove();
  const root = html("div", "flow");
  parentElement.append(root);
  const drawn = draw(data);
  const state = { at: still() ? data.stages.length : 0, timer: 0 };
  const said = Object.assign(html("p", "said"), { role: "status" });
  const play = button("Play", () => (state.timer ? pause() : start()));
  const show = () => {
    drawn.show(state.at);
    said.textContent = sentence(data, state.at);
  };
  const step = (by) => {
    state.at = Math.min(Math.max(state.at + by, 0), data.stages.length);
    show();
  };
  function pause() {
    clearInterval(state.timer);
    state.timer = 0;
    play.textContent = "Play";
  }
  function start() {
    if (state.at === data.stages.length) state.at = 0;
    show();
    play.textContent = "Pause";
    state.timer = setInterval(() => {
      step(1);
      if (state.at === data.stages.length) pause();
    }, STEP);
  }
  const move = (by) => () => { pause(); step(by); };
  const controls = html("div", "controls");
  controls.append(play, button("Step back", move(-1)), button("Step", move(1)),
    button("All", move(data.stages.length)));
  root.append(controls, drawn.svg, said);
  root.stop = pause;
  show();
  return pause;
}

function sentence(data, at) {
  if (!at) return `Beginning: ${data.likes.length + data.more} likes, and no vector yet.`;
  const so = data.stages.slice(0, at).reduce((sum, s) => sum + s.adds, 0);
  const stage = data.stages[at - 1];
  const end = at === data.stages.length ? ` That is the score of ${data.item.title}.` : "";
  return `${at}. ${stage.title}: ${stage.say} It adds ${signed(stage.adds)}: ${so.toFixed(2)} so far.${end}`;
}

function draw(data) {
  const svg = tag("svg", { viewBox: `0 0 ${WIDE} 330`, role: "img",
    "aria-label": data.stages.map((s) => `${s.title} ${signed(s.adds)}`).join(", ") });
  likes(svg, data);
  const pitch = Math.min(BOX.w + BOX.gap, (WIDE - LEFT - 16) / data.stages.length);
  const most = Math.max(...data.stages.map((s) =>
    s.parts.reduce((sum, p) => sum + Math.abs(p.value), 0)), 1e-9);
  const boxes = data.stages.map((stage, at) =>
    box(svg, stage, LEFT + at * pitch, pitch - BOX.gap, most));
  const bar = score(svg, data, data.map ? MAP.x - 24 : WIDE - 16);
  const move = data.map ? map(svg, data.map) : () => {};
  return {
    svg,
    show(at) {
      boxes.forEach((g, i) => {
        g.setAttribute("class", i < at ? (i === at - 1 ? "on" : "") : "off");
        if (i === at - 1 && !still())
          g.animate([{ transform: "translateX(-14px)", opacity: 0.3 }, { transform: "none",
            opacity: 1 }], { duration: 600, easing: "ease-out" });
      });
      bar(at);
      move(at);
    },
  };
}

function likes(svg, data) {
  svg.append(text(0, 14, "Likes", { "font-weight": 600 }));
  data.likes.forEach((like, i) => {
    const [x, y] = [(i % 3) * 44, TOP + Math.floor(i / 3) * 44];
    const image = like.picture
      ? tag("image", { href: like.picture, x, y, width: 40, height: 40 })
      : text(0, TOP + 12 + i * 15, short(like.title), { "font-size": 12 });
    image.append(hint(like.title));
    svg.append(image);
  });
  if (data.more) svg.append(text(0, TOP + 146, `and ${data.more} more`));
}

function box(svg, stage, x, w, most) {
  const g = tag("g");
  g.append(tag("path", { class: "wire", d: `M ${x - BOX.gap} ${TOP + BOX.h / 2} h ${BOX.gap}` }));
  g.append(tag("rect", { class: "box", x, y: TOP, width: w, height: BOX.h, rx: 8 }));
  stage.title.split(" ").reduce((lines, word) => {
    const last = lines.length - 1;
    if (lines.length && `${lines[last]} ${word}`.length * 7.6 < w - 8) lines[last] += ` ${word}`;
    else lines.push(word);
    return lines;
  }, []).slice(0, 2).forEach((line, i) =>
    g.append(text(x + 8, TOP + 18 + i * 15, line, { "font-size": 13, "font-weight": 600 })));
  stage.parts.forEach((part, i) => {
    const length = Math.max((Math.abs(part.value) / most) * (w - 16), 1.5);
    const rect = tag("rect", { x: x + 8, y: TOP + 44 + i * 10, width: length, height: 8,
      fill: part.colour, "fill-opacity": part.value < 0 ? 0.45 : 1 });
    rect.append(hint(`${part.label}: ${signed(part.value)}`));
    g.append(rect);
  });
  g.append(text(x + 8, TOP + BOX.h - 8, signed(stage.adds), { "font-size": 15 }));
  g.append(hint(`${stage.title}: ${stage.say} Adds ${signed(stage.adds)}.`));
  svg.append(g);
  return g;
}

// The score so far as one bar, its parts coloured as in the boxes; negative ones go left of zero.
function score(svg, data, right_end) {
  const all = data.stages.flatMap((s, at) => s.parts.map((p) => ({ ...p, at })));
  const below = -all.reduce((sum, p) => sum + Math.min(p.value, 0), 0);
  const above = all.reduce((sum, p) => sum + Math.max(p.value, 0), 0);
  const scale = (right_end - LEFT) / Math.max(below + above, 1e-9);
  const zero = LEFT + below * scale;
  if (data.item.picture)
    svg.append(tag("image", { href: data.item.picture, x: 0, y: BAR - 20, width: 64, height: 64 }));
  const name = text(LEFT, BAR - 26, data.item.title, { "font-weight": 600 });
  const total = text(LEFT, BAR + 62, "", { "font-size": 15 });
  svg.append(name, total,
    tag("line", { class: "axis", x1: zero, x2: zero, y1: BAR - 16, y2: BAR + 40 }));
  let [left, right] = [zero, zero];
  const rects = all.map((part) => {
    const width = Math.abs(part.value) * scale;
    const x = part.value < 0 ? (left -= width) : right;
    if (part.value >= 0) right += width;
    const rect = tag("rect", { x, y: BAR - 8, width, height: 40, fill: part.colour,
      "fill-opacity": part.value < 0 ? 0.45 : 1 });
    rect.append(hint(`${data.stages[part.at].title}, ${part.label}: ${signed(part.value)}`));
    svg.append(rect);
    return rect;
  });
  return (at) => {
    rects.forEach((rect, i) => {
      const shown = all[i].at < at;
      if (shown && rect.style.display === "none" && !still())
        rect.animate([{ opacity: 0, transform: "translateY(-40px)" }, { opacity: 1,
          transform: "none" }], { duration: 700, easing: "ease-in" });
      rect.style.display = shown ? "" : "none";
    });
    const so = all.reduce((sum, p) => sum + (p.at < at ? p.value : 0), 0);
    total.textContent = `score ${at < data.stages.length ? "so far " : ""}${so.toFixed(3)}`;
  };
}

// The map of people known here, and where the vector stands among them by now.
function map(svg, { points, path }) {
  const put = ([x, y]) => ({ cx: MAP.x + x * MAP.w, cy: MAP.y + (1 - y) * MAP.h });
  svg.append(tag("rect", { class: "box", x: MAP.x - 8, y: MAP.y - 8, width: MAP.w + 16,
    height: MAP.h + 16, rx: 8 }));
  for (const point of points) svg.append(tag("circle", { ...put(point), r: 1.6, class: "known" }));
  const star = text(0, 8, "★", { class: "star", "font-size": 26, "text-anchor": "middle" });
  star.append(hint("Where the vector stands by now, among people known here"));
  svg.append(star);
  return (at) => {
    star.style.display = path[at] ? "" : "none";
    if (path[at]) star.style.transform = `translate(${put(path[at]).cx}px, ${put(path[at]).cy}px)`;
  };
}

function tag(name, attributes = {}) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
const text = (x, y, textContent, attributes = {}) =>
  Object.assign(tag("text", { x, y, "font-size": 14, ...attributes }), { textContent });
const short = (title) => (title.length > 22 ? `${title.slice(0, 21)}…` : title);
const hint = (textContent) => Object.assign(tag("title"), { textContent });
const html = (name, className) => Object.assign(document.createElement(name), { className });
const button = (textContent, onclick) =>
  Object.assign(html("button", ""), { type: "button", textContent, onclick });
