/* Hands the table over to the app, which writes the view (sorting and filters) into the address. */
export default function mount(component) {
  const { data, parentElement, setStateValue } = component;
  /* A rerun that changes nothing must not disturb what the visitor is typing. */
  if (parentElement.boardVersion === data.version) return;
  const model = JSON.parse(data.model);
  model.view = parentElement.boardView === undefined ? data.view : parentElement.boardView;
  parentElement.boardVersion = data.version;
  let target = parentElement.querySelector(".board-root");
  if (!target) {
    target = document.createElement("div");
    target.className = "board-root";
    parentElement.appendChild(target);
  }
  boardTable(target, model, {
    view: (view) => {
      parentElement.boardView = view;
      setStateValue("view", view);
    },
  });
}
