/** The one style sheet of a page. Colours are calm, and have a contrast of 4.5 and more on their ground, light and dark. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f6; --card: #ffffff; --ink: #1f2a2a; --soft: #566463; --line: #dce2e0; --accent: #2f6f73; --second: #7a6a9e;
  --ok: #2c6e49; --ok-ground: #e4f1e9; --warn: #855600; --warn-ground: #fbf0d9; --bad: #a3332b; --bad-ground: #fae6e3; --off-ground: #eceeed;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #141919; --card: #1c2323; --ink: #e4eae8; --soft: #9fb0ad; --line: #303a39; --accent: #6fb9bb; --second: #b3a4d8;
    --ok: #8fd0a9; --ok-ground: #1d3327; --warn: #e7bd6b; --warn-ground: #382d16; --bad: #f0a096; --bad-ground: #3d2220; --off-ground: #262e2d;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header, footer { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.75rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 0.75rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: 0.25rem 0; }
.soft { color: var(--soft); }
.verdict { display: flex; gap: 0.75rem; align-items: baseline; flex-wrap: wrap; margin: 0.75rem 0 0; }
.badge { display: inline-block; padding: 0.05rem 0.6rem; border-radius: 1rem; font-size: 0.8rem; font-weight: 600; white-space: nowrap; background: var(--off-ground); color: var(--soft); }
.badge.ok { background: var(--ok-ground); color: var(--ok); }
.badge.warn { background: var(--warn-ground); color: var(--warn); }
.badge.bad { background: var(--bad-ground); color: var(--bad); }
.problems { list-style: none; margin: 1rem 0 0; padding: 0; display: grid; gap: 0.5rem; }
.problems li { border-left: 3px solid var(--warn); background: var(--warn-ground); border-radius: 0 0.4rem 0.4rem 0; padding: 0.5rem 0.8rem; overflow-wrap: anywhere; }
.problems li.bad { border-color: var(--bad); background: var(--bad-ground); }
.grid { display: grid; gap: 0.9rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21.5rem), 1fr)); align-items: start; }
.tiles { display: grid; gap: 0.9rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 9.75rem), 1fr)); margin: 1.25rem 0 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem; padding: 0.9rem 1rem; min-width: 0; }
.card.late { border-color: var(--bad); }
.tiles .card { margin: 0; }
.tiles dt { color: var(--soft); font-size: 0.85rem; }
.tiles dd { margin: 0; overflow-wrap: anywhere; }
.big { font-size: 1.3rem; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles .big { font-size: 1.15rem; }
.head { display: flex; justify-content: space-between; gap: 0.75rem; align-items: baseline; }
figure { margin: 0.75rem 0 0; color: var(--soft); }
figcaption { font-size: 0.85rem; color: var(--soft); margin-bottom: 0.15rem; }
figure svg { width: 100%; height: auto; overflow: visible; }
details { margin-top: 0.6rem; font-size: 0.9rem; }
summary { cursor: pointer; color: var(--accent); width: fit-content; }
summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 0.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: 0.85rem; padding-bottom: 0.25rem; }
th, td { text-align: left; padding: 0.35rem 0.9rem 0.35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
th { font-weight: 600; color: var(--soft); font-size: 0.85rem; }
td.number, th.number { text-align: right; }
td.wide { white-space: normal; min-width: 16rem; overflow-wrap: anywhere; }
td.name { white-space: normal; overflow-wrap: anywhere; }
caption { white-space: normal; }
.grid th, .grid td { padding-right: 0.6rem; }
.grid th:last-child, .grid td:last-child { padding-right: 0; }
tr:last-child td { border-bottom: 0; }
code { font: 0.9em ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere; }
footer { padding-top: 2rem; padding-bottom: 2rem; font-size: 0.85rem; color: var(--soft); }
@media (max-width: 44rem) {
  .runs thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .runs, .runs tbody, .runs caption { display: block; }
  .runs tr { display: flex; flex-wrap: wrap; gap: 0.1rem 0.9rem; align-items: baseline; padding: 0.6rem 0; border-bottom: 1px solid var(--line); }
  .runs tr:last-child { border-bottom: 0; padding-bottom: 0; }
  .runs td { display: block; border: 0; padding: 0; text-align: left; }
  .runs td.number { color: var(--soft); font-size: 0.9rem; }
  .runs td.number::before { content: attr(data-label) " "; }
  .runs td.wide { flex-basis: 100%; min-width: 0; }
  .runs td.wide:empty { display: none; }
}
@media print { .card, .problems li { break-inside: avoid; } }
`
