// A region that outlives reruns, so that a screen reader notices when its words change.
const EVERY = 200, TIMES = 25;

export default function ({ data, parentElement }) {
  let region = parentElement.querySelector("[role=status]");
  if (!region) {
    region = document.createElement("div");
    region.setAttribute("role", "status");
    region.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";
    parentElement.append(region);
  }
  if (region.textContent !== data.say) region.textContent = data.say;
  if (data.focus) keepFocus(data.focus, TIMES);
}

// What was acted on is taken away after the last part of the page has arrived.
function keepFocus(selector, times) {
  if (document.activeElement === document.body) document.querySelector(selector)?.focus();
  else if (times) setTimeout(() => keepFocus(selector, times - 1), EVERY);
}
