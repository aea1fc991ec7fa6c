/* Shows times of a page in the visitor's time zone, and what is left until then. Without this
   script the page says them in UTC. */
function showTimes(root) {
  "use strict";
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  function leftText(seconds) {
    let rest = Math.floor(Math.abs(seconds));
    const parts = [];
    for (const [name, length] of units) {
      const n = Math.floor(rest / length);
      rest -= n * length;
      if (n || parts.length || name === "s") parts.push(`${n} ${name}`);
    }
    /* Days need no seconds. */
    const said = parts.slice(0, parts.length > 3 ? 3 : 4).join(" ");
    return seconds > 0 ? `${said} left` : `over since ${said}`;
  }

  function show() {
    for (const time of root.querySelectorAll("time.lb-until")) {
      const when = new Date(time.dateTime);
      if (Number.isNaN(when.getTime())) continue;
      let aside = time.nextElementSibling;
      if (!aside || !aside.classList.contains("lb-left")) {
        aside = document.createElement("span");
        aside.className = "lb-left";
        time.after(aside);
      }
      const local = when.toLocaleString(undefined, {
        dateStyle: "medium", timeStyle: "short",
      });
      const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
      const said = ` (${local} ${zone}; ${leftText((when - Date.now()) / 1000)})`;
      if (aside.textContent !== said) aside.textContent = said;
    }
  }

  show();
  return setInterval(show, 1000);
}
