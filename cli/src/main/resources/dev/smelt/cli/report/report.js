
"use strict";
{
  const tip = document.getElementById("tip");
  const show = (mark) => {
    tip.textContent = mark.getAttribute("aria-label");
    tip.hidden = false;
    const at = (mark.querySelector(".dot, path, .bar, .reach") || mark).getBoundingClientRect();
    const page = document.documentElement;
    const left = at.left + at.width / 2 - tip.offsetWidth / 2;
    const most = page.clientWidth - tip.offsetWidth - 8;
    const above = at.top - tip.offsetHeight - 8;
    const top = above >= 0 ? above : at.bottom + 8;
    tip.style.left = Math.max(8, Math.min(left, most)) + window.scrollX + "px";
    tip.style.top = top + window.scrollY + "px";
  };
  const hide = () => { tip.hidden = true; };
  for (const mark of document.querySelectorAll(".mark")) {
    // The script's own tip replaces the browser's, which phones and keyboards never see.
    const title = mark.querySelector("title");
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", title.textContent);
    title.remove();
    mark.addEventListener("pointerenter", () => show(mark));
    mark.addEventListener("pointerleave", hide);
    mark.addEventListener("focus", () => show(mark));
    mark.addEventListener("blur", hide);
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  const filter = document.getElementById("filter");
  if (filter) {
    const changed = document.getElementById("changed");
    const rows = Array.from(document.querySelectorAll("#tensors tbody tr"));
    const apply = () => {
      const wanted = filter.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        const named = row.cells[0].textContent.toLowerCase().includes(wanted);
        row.hidden = !named || (changed.checked ? row.classList.contains("same") : false);
        shown += row.hidden ? 0 : 1;
      }
      document.getElementById("shown").textContent = shown + " of " + rows.length;
    };
    filter.addEventListener("input", apply);
    changed.addEventListener("change", apply);
    filter.closest("p").hidden = false;
    apply();
  }

  const copy = document.getElementById("copy");
  if (copy ? navigator.clipboard : false) {
    copy.hidden = false;
    copy.addEventListener("click", () => {
      navigator.clipboard.writeText(document.getElementById("commands").textContent).then(
        () => { copy.textContent = "Copied"; },
        () => { copy.textContent = "Copying is not allowed here"; });
    });
  }
}
