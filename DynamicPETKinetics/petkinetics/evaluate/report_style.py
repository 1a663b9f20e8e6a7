"""How report.html looks: on a screen light and dark, on a phone, on paper."""

STYLE = """
:root { --ink: #1c2430; --soft: #5b6675; --line: #d5dae1; --paper: #ffffff; --tint: #f3f6f9; --warn: #fff4d6;
  --warn-line: #c98a00; --accent: #0b5c8e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #a7b1bf; --line: #3a4452; --paper: #14181e; --tint: #1e242d; --warn: #3a3017;
    --warn-line: #e0a82e; --accent: #7cc0ec; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1rem 1rem 3rem; max-width: 54rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .4rem 0 .6rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
p { margin: .5rem 0; }
.notice { display: inline-block; margin: 0; padding: .15rem .6rem; border: 1px solid var(--warn-line);
  border-radius: .3rem; font-size: .875rem; font-weight: 600; }
.lead { font-size: 1.05rem; }
.warnings { background: var(--warn); border-left: 4px solid var(--warn-line); padding: .6rem .9rem; margin: 1rem 0; }
.warnings h2 { border: 0; margin: 0 0 .3rem; font-size: 1rem; }
.warnings ul { margin: 0; padding-left: 1.2rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.25rem, 1fr)); gap: .6rem; padding: 0;
  margin: 1rem 0; }
.cards div { background: var(--tint); border-radius: .4rem; padding: .5rem .75rem; }
.cards dt { color: var(--soft); font-size: .8125rem; }
.cards dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
figure { margin: 1.2rem 0 1.8rem; }
figure img { display: block; width: 100%; max-width: 42rem; height: auto; background: #fff; border-radius: .3rem; }
figcaption { color: var(--soft); font-size: .875rem; margin-top: .4rem; max-width: 42rem; }
figcaption b { color: var(--ink); }
.scroll { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .9375rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; position: sticky; left: 0;
  background: var(--paper); white-space: normal; min-width: 7rem; max-width: 12rem; overflow-wrap: anywhere; }
thead th { vertical-align: bottom; white-space: normal; min-width: 4rem;
  color: var(--soft); font-weight: 600; font-size: .8125rem; }
th small, td small { display: block; font-weight: 400; }
td small { color: var(--soft); font-size: .8125rem; }
table.facts { width: 100%; }
table.facts th, table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; vertical-align: top; }
table.facts th { width: 14rem; max-width: none; font-weight: 400; color: var(--soft); position: static; }
table.facts td { padding-right: 0; }
.note { color: var(--soft); font-size: .875rem; }
summary { cursor: pointer; color: var(--accent); padding: .3rem 0; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
@media (max-width: 30rem) { body { padding: .75rem .75rem 2rem; } table.facts th { width: 8.5rem; }
  th, td { padding: .3rem .45rem; } table { font-size: .875rem; }
  figure img { width: calc(100% + 1.1rem); max-width: none; margin: 0 -.55rem; } }
@media print {
  :root { --ink: #000; --soft: #333; --line: #bbb; --paper: #fff; --tint: #f3f3f3; --warn: #fff; }
  body { max-width: none; font-size: 10pt; } figure, tr, .warnings { break-inside: avoid; }
  h2 { break-after: avoid; } .scroll { overflow: visible; } table { font-size: 8pt; } th, td { padding: .15rem .4rem; }
}
""".strip()
