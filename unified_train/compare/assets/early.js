"use strict";
/* Before anything is painted: who votes blind, or has begun to, must not be shown the names for a moment. */
(() => {
  const root = document.documentElement;
  let begun = false;
  try { begun = localStorage.getItem(`unified-train/begun/${root.dataset.comparison}`) !== null; } catch { /* not allowed here */ }
  root.classList.toggle("blind", begun || location.hash === "#blind");
})();
