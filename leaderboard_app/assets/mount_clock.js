/* Hands the clock over to the app: it runs as long as its place is on the page. */
export default function mount(component) {
  const place = component.parentElement;
  if (place.boardClock) return;
  place.boardClock = showTimes(document);
  const watch = setInterval(() => {
    if (place.isConnected) return;
    clearInterval(place.boardClock);
    clearInterval(watch);
  }, 1000);
}
