// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/page_style.hpp"

#include <string_view>

#include "tool/experiments/palette.hpp"

namespace unlearn::tool::experiments {
namespace {

constexpr std::string_view rules = R"css(
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif;
}
header, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3.5rem; }
h1 { margin: 0; font-size: clamp(1.7rem, 5vw, 2.5rem); line-height: 1.15; letter-spacing: -0.02em; }
h2 { margin: 0 0 0.75rem; font-size: 1.4rem; line-height: 1.25; letter-spacing: -0.01em; }
section { margin-top: 3.5rem; }
p, li { max-width: 44rem; }
p { margin: 0 0 1rem; }
.subtitle, .note, figcaption, footer { color: var(--muted); }
.subtitle { margin-top: 0.6rem; }
.note, figcaption { font-size: 0.9rem; line-height: 1.5; }
.tiles + .note { margin-bottom: 1.5rem; }
.scroll + .scroll { margin-top: 1.75rem; }
footer { margin-top: 4rem; padding-bottom: 3rem; font-size: 0.9rem; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem; margin: 0 0 0.75rem; }
.tiles div { padding: 0.9rem 1.1rem 1rem; border-radius: 0.6rem; border-top: 4px solid var(--tile, var(--rule)); background: var(--raised); }
.tiles dt { font-size: 0.9rem; color: var(--muted); }
.tiles dd { margin: 0; }
.tiles .figure { font-size: 2rem; line-height: 1.3; font-weight: 650; letter-spacing: -0.02em; color: var(--ink); font-variant-numeric: tabular-nums; }

.scroll { overflow-x: auto; margin: 0 0 0.6rem; }
.scroll:focus-visible { outline: 2px solid var(--clean); outline-offset: 4px; }
table { border-collapse: collapse; font-size: 0.95rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.38rem 0.85rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
thead th { font-weight: 500; color: var(--muted); vertical-align: bottom; }
thead th[colspan] { text-align: center; color: var(--ink); font-weight: 600; }
thead th.way { font-weight: 500; color: var(--muted); }
tbody th { font-weight: 600; }
th.group { padding-top: 1.1rem; color: var(--muted); font-weight: 500; }
td.paper, thead th.paper[scope] { color: var(--muted); }
.apart { padding-left: 2rem; }
.swatch { display: inline-block; width: 0.7em; height: 0.7em; margin-right: 0.55em; border-radius: 50%; background: var(--tile); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
table.words td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
table.words th { text-align: left; vertical-align: top; font-weight: 500; }
table.wide { width: 100%; max-width: 44rem; }

figure { margin: 0; min-width: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 2.25rem 2rem; margin: 1.25rem 0 0; }
.charts figure { max-width: 34rem; }
.charts svg { display: block; width: 100%; height: auto; }
.charts text { font-family: inherit; }
figcaption strong { display: block; color: var(--ink); font-size: 1rem; }
.charts figcaption { margin-bottom: 0.5rem; }

.pair { padding: 1.25rem 0; border-top: 1px solid var(--rule); }
.images { display: grid; grid-template-columns: repeat(3, minmax(0, 14rem)); gap: 1rem; }
.images img { display: block; width: 100%; height: auto; image-rendering: pixelated; border-radius: 0.35rem; background: var(--raised); }
.images figcaption { margin-top: 0.35rem; }
.captions { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; margin: 0.9rem 0 0; }
.captions dt { color: var(--muted); font-size: 0.9rem; }
.captions dd { margin: 0; overflow-wrap: anywhere; }
mark { padding: 0.05em 0.3em; border-radius: 0.25em; background: var(--mark); color: inherit; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
pre { margin: 0 0 1.25rem; padding: 0.9rem 1.1rem; border-radius: 0.6rem; background: var(--raised); font-size: 0.9rem; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; }

@media (max-width: 34rem) {
  body { font-size: 1rem; }
  header { padding-top: 2rem; }
  section { margin-top: 2.75rem; }
  th, td { padding: 0.38rem 0.5rem; }
  tbody th { white-space: normal; min-width: 7.75rem; }
  tr > th:first-child { position: sticky; left: 0; background: var(--paper); }
  .apart { padding-left: 1.25rem; }
  .images { gap: 0.5rem; }
  .captions { grid-template-columns: 1fr; gap: 0; }
  .captions dd { margin-bottom: 0.4rem; }
}
@media print {
  @page { margin: 16mm; }
  body { font-size: 10.5pt; background: none; }
  header { padding-top: 0; }
  section { margin-top: 2rem; }
  h2 { break-after: avoid; }
  p { break-inside: avoid; }
  section:not(#summary) > p { break-after: avoid; }
  figure, tr, .pair, .tiles, pre, table:not(.words) { break-inside: avoid; }
  .note { break-before: avoid; }
  table { font-size: 9.5pt; }
  .tiles dt { white-space: nowrap; }
  .scroll { overflow: visible; }
  th, td { padding: 0.25rem 0.5rem; }
  .tiles { grid-template-columns: repeat(3, 1fr); }
  .charts { grid-template-columns: 1fr 1fr; }
  footer { margin-top: 2rem; padding-bottom: 0; }
  .images { grid-template-columns: repeat(3, 9rem); }
}
)css";

}  // namespace

std::string page_style() {
  std::string style = "\n:root { color-scheme: light dark;";
  for (const Colour& colour : palette()) {
    style.append(" --").append(colour.name).append(": ").append(colour.light).append(";");
  }
  style += " }\n@media screen and (prefers-color-scheme: dark) { :root {";
  for (const Colour& colour : palette()) {
    style.append(" --").append(colour.name).append(": ").append(colour.dark).append(";");
  }
  style += " } }";
  return style.append(rules);
}

}  // namespace unlearn::tool::experiments
