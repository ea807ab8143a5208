"use strict";
const find = (id) => document.getElementById(id);
const THEME = "heap-gallery-theme";

// A page that was opened from disk may be forbidden to remember anything.
function rememberedTheme() {
  try {
    return localStorage.getItem(THEME) ?? "system";
  } catch {
    return "system";
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(THEME, theme);
  } catch {
    // It holds until the page is closed.
  }
}

document.documentElement.dataset.theme = rememberedTheme();
