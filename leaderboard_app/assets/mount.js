/* Hands the table over to the app. Sorting and filters stand in the address, which the table reads
   and writes itself: the app hears of them only to keep them when it writes another choice. */
export default function mount(component) {
  const { data, parentElement, setStateValue } = component;
  /* A rerun that changes nothing must not disturb what the visitor is typing. */
  if (parentElement.boardVersion === data.version) return;
  const model = JSON.parse(data.model);
  parentElement.boardVersion = data.version;
  model.arrived = arrivedOf(parentElement, model.rows.map((row) => row.id));
  let target = parentElement.querySelector(".board-root");
  if (!target) {
    target = document.createElement("div");
    target.className = "board-root";
    parentElement.appendChild(target);
  }

  let pending = 0;
  const report = () => {
    clearTimeout(pending);
    pending = setTimeout(() => {
      if (parentElement.isConnected) setStateValue("view", viewInAddress(data.keys));
    }, 300);
  };
  const table = boardTable(target, { ...model, view: viewInAddress(data.keys) }, {
    view: (view, isTyped) => {
      writeViewToAddress(data.keys, view, isTyped);
      report();
    },
  });
  if (parentElement.boardFollow) window.removeEventListener("popstate", parentElement.boardFollow);
  const follow = () => {
    if (!parentElement.isConnected) {
      window.removeEventListener("popstate", follow);
      return;
    }
    table.show(viewInAddress(data.keys));
    report();
  };
  parentElement.boardFollow = follow;
  window.addEventListener("popstate", follow);
}

/* Cards that were not there when the page was opened. */
function arrivedOf(place, ids) {
  if (!place.boardFirst) place.boardFirst = new Set(ids);
  return new Set(ids.filter((id) => !place.boardFirst.has(id)));
}

function viewInAddress(keys) {
  const found = new URLSearchParams();
  for (const [key, value] of new URLSearchParams(location.search)) {
    if (keys.includes(key)) found.set(key, value);
  }
  return found.toString();
}

function writeViewToAddress(keys, view, isTyped) {
  const parts = new URLSearchParams(location.search);
  for (const key of keys) parts.delete(key);
  for (const [key, value] of new URLSearchParams(view)) parts.set(key, value);
  const text = parts.toString();
  const address = location.pathname + (text ? `?${text}` : "");
  if (address === location.pathname + location.search) return;
  if (isTyped) history.replaceState({}, "", address);
  else history.pushState({}, "", address);
}
