// A list whose rows move to their new places. Data: {rows: [{id, place, was, title, picture, bar,
// words}]}; ``was`` is the place before, 0 where there is none to tell, -1 for far behind.
const MILLISECONDS = 900;

export default function ({ data, parentElement }) {
  const list = parentElement.querySelector("ol") || parentElement.appendChild(make("ol", "ranks"));
  const before = new Map();
  for (const row of list.children)
    before.set(row.dataset.id, [row, row.getBoundingClientRect().top]);
  list.replaceChildren(...data.rows.map((row) => fill(before.get(row.id)?.[0], row)));
  if (!before.size || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const row of list.children) {
    const top = before.get(row.dataset.id)?.[1];
    const now = row.getBoundingClientRect().top;
    if (top === now) continue;
    const from = top === undefined
      ? { transform: "translateY(3rem)", opacity: 0 }
      : { transform: `translateY(${top - now}px)` };
    row.animate([from, { transform: "none", opacity: 1 }],
      { duration: MILLISECONDS, easing: "ease-in-out" });
  }
}

const make = (tag, className, textContent = "") =>
  Object.assign(document.createElement(tag), { className, textContent });

function moved(row) {
  if (!row.was || row.was === row.place) return make("span", "still");
  if (row.was < 0) return make("span", "up", "↑ new");
  const up = row.was > row.place;
  return make("span", up ? "up" : "down", `${row.was} ${up ? "↑" : "↓"}`);
}

function fill(old, row) {
  const item = old || make("li", "rank");
  item.dataset.id = row.id;
  const picture = row.picture ? [Object.assign(make("img", "picture"), { src: row.picture, alt: "" })] : [];
  const bar = Object.assign(make("img", "bar"), { src: row.bar, alt: row.words });
  const said = make("div", "said");
  said.append(make("span", "title", row.title), bar);
  item.replaceChildren(moved(row), make("b", "place", row.place), ...picture, said);
  return item;
}
