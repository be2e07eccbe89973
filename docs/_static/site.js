// Show the current page in the sidebar, whose list is longer than the screen.
addEventListener("DOMContentLoaded", () => {
  const here = document.querySelector(".sidebar-tree .current-page");
  const list = document.querySelector(".sidebar-scroll");
  if (here && list) {
    const distance = here.getBoundingClientRect().top - list.getBoundingClientRect().top;
    list.scrollBy({ top: distance - list.clientHeight / 2, behavior: "instant" });
  }
});
