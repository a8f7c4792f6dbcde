import { Markup } from './markup.ts'

/** The style sheet of the report. Colors are named once for light and once for dark. */
export const STYLE = new Markup(`
:root { color-scheme: light dark;
  --paper: #fff; --card: #f5f7fa; --ink: #1b2430; --quiet: #5b6775; --edge: #d9dfe6;
  --good: #14713f; --good-paper: #e2f4e9; --bad: #a8321c; --bad-paper: #fce9e4;
  --c0: #1f66b1; --c1: #c4570a; --c2: #18805c; --c3: #8442ac; --c4: #a8801a; --c5: #b8336a; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #12171d; --card: #1b222b; --ink: #e4e9ef; --quiet: #98a5b3; --edge: #323c48;
  --good: #62d394; --good-paper: #16321f; --bad: #ff9a80; --bad-paper: #43201a;
  --c0: #69b1f5; --c1: #f59b55; --c2: #52cda1; --c3: #c699ec; --c4: #e0bd5c; --c5: #f389b3; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 78rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; } p { margin: .5rem 0; }
header p, .rule, figcaption, caption { color: var(--quiet); }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .75rem 0; }
a { color: var(--c0); }
.verdict, .note { padding: .75rem 1rem; border-radius: .5rem; margin: 1rem 0; background: var(--card); }
.verdict { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; }
.verdict strong { font-size: 1.3rem; }
.verdict.good { background: var(--good-paper); } .verdict.good strong { color: var(--good); }
.verdict.bad, .note.bad { background: var(--bad-paper); } .verdict.bad strong, .note.bad strong { color: var(--bad); }
.cards, .plots { display: grid; gap: 1rem; }
.cards { grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr)); }
.plots { grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); margin-top: 1rem; }
.card, figure { background: var(--card); border-radius: .5rem; padding: 1rem; margin: 0; min-width: 0; }
.card h3 { margin: 0 0 .5rem; } dl, dd { margin: 0; } dt { color: var(--quiet); margin-top: .5rem; }
dd b { font-size: 1.25rem; }
figcaption strong { color: var(--ink); }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; list-style: none; margin: .25rem 0; padding: 0; font-size: .875rem; }
.swatch { display: inline-block; width: 1rem; height: .2rem; margin-right: .4rem; vertical-align: middle; background: currentcolor; }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; } caption { text-align: left; padding-bottom: .25rem; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--edge); text-align: left; vertical-align: top; }
thead th { color: var(--quiet); font-weight: 500; } tbody th { font-weight: 400; }
th.number, td.number { text-align: right; white-space: nowrap; }
.mark { font-weight: 600; white-space: nowrap; } .mark.good { color: var(--good); } .mark.bad { color: var(--bad); }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--quiet); }
svg { display: block; } svg.plot { width: 100%; height: auto; } svg.strip { width: 7.5rem; min-width: 7.5rem; height: auto; margin-top: .25rem; }
svg text { font-size: 12px; fill: var(--quiet); } .end { text-anchor: end; } .middle { text-anchor: middle; }
.grid, .tick { stroke: var(--edge); stroke-width: 1; }
.line { fill: none; stroke: currentcolor; stroke-width: 1.75; stroke-linejoin: round; opacity: .8; }
.dot { fill: currentcolor; stroke: none; } .range { stroke: var(--c0); stroke-width: 5; stroke-linecap: round; opacity: .35; }
.target { stroke: var(--ink); stroke-width: 1.5; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
`)
