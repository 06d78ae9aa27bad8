// SPDX-License-Identifier: Apache-2.0
//
// The style sheet of the report: colours and cards are those of deploy/dashboard/index.html.
#pragma once

namespace reef::sim {

// --c1 to --c8 were chosen to differ for people who see all colours and for those who lack one of
// the three kinds of cone (simulated after Machado, Oliveira and Fernandes, 2009), on either
// ground.
inline constexpr char kReportStyle[] = R"css(
:root {
  --page: #f4f6f8; --card: #fff; --ink: #16232e; --soft: #566573; --line: #dbe1e7; --accent: #0b6e8f;
  --good: #17794a; --bad: #b3261e; --stripe: #f1f4f7; --ring: #97a3ad;
  --c1: #0072b2; --c2: #d55e00; --c3: #3fae8a; --c4: #bd8ee9; --c5: #560656; --c6: #b10b62; --c7: #055108; --c8: #c400f5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e151b; --card: #17212a; --ink: #e6edf2; --soft: #9aabb8; --line: #2a3843; --accent: #58bfdf;
    --good: #55c98c; --bad: #f0857b; --stripe: #1d2934; --ring: #7f909d;
    --c1: #3b93dc; --c2: #f07a35; --c3: #87c2af; --c4: #f7e0ea; --c5: #946000; --c6: #d01487; --c7: #6048ff; --c8: #6cf04a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main, header { max-width: 1080px; margin: 0 auto; padding: 0 16px; }
header { padding-top: 18px; padding-bottom: 14px; }
header > div { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; }
h1 { font-size: 22px; margin: 0; display: flex; align-items: center; gap: 8px; letter-spacing: .01em; overflow-wrap: anywhere; }
h1 svg { width: 26px; height: 26px; flex: none; }
h2 { font-size: 15px; margin: 0 0 10px; }
h3 { font-size: 15px; margin: 0; overflow-wrap: anywhere; }
main > h2 { grid-column: 1 / -1; font-size: 18px; margin: 14px 0 -4px; }
p { margin: 0; max-width: 72ch; }
header p { margin-top: 8px; }
.note { grid-column: 1 / -1; color: var(--soft); }
.badge { font-size: 13px; font-weight: 600; padding: 1px 10px; border-radius: 99px; border: 1.5px solid currentColor; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.soft { color: var(--soft); }
.num, td.num { font-variant-numeric: tabular-nums; }
.grid { display: grid; gap: 14px; grid-template-columns: repeat(12, minmax(0, 1fr)); padding-bottom: 32px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; grid-column: span 12; min-width: 0; margin: 0; }
@media (min-width: 760px) { .half { grid-column: span 6; } }
.tiles { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); grid-column: span 12; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 16px 12px; }
.tile b { display: block; font-size: 21px; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.tile span { color: var(--soft); font-size: 13px; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; font-size: 13px; color: var(--soft); padding: 2px 14px 6px 0; white-space: nowrap; }
td { padding: 5px 14px 5px 0; border-top: 1px solid var(--line); white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
th.num, td.num { text-align: right; }
td.word { white-space: normal; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.columns { columns: 2 320px; column-gap: 40px; }
.columns > div { display: flex; justify-content: space-between; gap: 14px; padding: 5px 0; border-bottom: 1px solid var(--line); break-inside: avoid; }
.columns code { overflow-wrap: anywhere; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 2px 16px; margin-bottom: 8px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; color: var(--soft); font-size: 13px; align-items: center; }
.legend b { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
.key { width: 26px; height: 8px; margin-right: 6px; vertical-align: middle; }
.chart { display: block; width: 100%; max-width: 560px; margin: 0 auto; overflow: visible; }
.chart text { font-size: 12.5px; fill: var(--soft); font-variant-numeric: tabular-nums; }
/* Where a chart is shown at two thirds of its size. */
@media (max-width: 440px) { .chart text { font-size: 16px; } }
.rule { stroke: var(--line); fill: none; }
.axis { stroke: var(--soft); fill: none; }
.stripe { fill: var(--stripe); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.bars { fill: var(--c1); }

.map { display: grid; gap: 6px 20px; grid-template-columns: minmax(0, 1fr); margin-top: 8px; }
@media (min-width: 760px) { .map { grid-template-columns: minmax(0, 1fr) 290px; } }
.map > svg { display: block; width: 100%; border: 1px solid var(--line); border-radius: 6px; }
.map g { stroke: var(--card); stroke-width: .8; }
.map .other { stroke: none; }
.clusters { list-style: none; margin: 0; padding: 0; display: grid; gap: 1px 18px; grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); align-content: start; }
.clusters li { display: flex; align-items: center; gap: 7px; font-size: 13px; }
.clusters .num { margin-left: auto; }
.mark { width: 12px; height: 12px; flex: none; }
@media print { .card, .tile { break-inside: avoid; } }
)css";

}  // namespace reef::sim
