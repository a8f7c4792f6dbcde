/** The live status page: one file, no library; asks /status.json every second. */
export const statusPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>FrostGuard status</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 0 0 .3rem; }
  #state { padding: .6rem .9rem; border-radius: .4rem; background: #8882; white-space: pre-line; }
  #state.ready { background: #2a92; } #state.not { background: #d333; }
  #sections { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.2rem; margin-top: 1.2rem; }
  table { width: 100%; border-collapse: collapse; } td { padding: .15rem 0; border-top: 1px solid #8883; }
  td:last-child { text-align: right; font-variant-numeric: tabular-nums; } .rate { opacity: .65; }
</style>
<h1>FrostGuard</h1>
<p id="state" role="status">Asking&hellip;</p>
<div id="sections"></div>
<p>Numbers are counted from the start of the process. More: <a href="/metrics">/metrics</a>, <a href="/readyz">/readyz</a>.</p>
<script>
let previous
const format = (value) => typeof value === 'number' ? value.toLocaleString('en') : value
function cell(text) { const td = document.createElement('td'); td.textContent = text; return td }
function section(title, values, seconds) {
  const box = document.createElement('section'), table = document.createElement('table')
  box.append(Object.assign(document.createElement('h2'), { textContent: title }), table)
  for (const [name, value] of Object.entries(values)) {
    const row = table.insertRow()
    row.append(cell(name), cell(format(value)))
    const before = previous?.status[title]?.[name]
    if (typeof value === 'number' && typeof before === 'number' && value > before && seconds > 0) {
      const rate = document.createElement('span')
      rate.className = 'rate'
      rate.textContent = ' +' + format(Math.round((value - before) / seconds)) + '/s'
      row.cells[1].append(rate)
    }
  }
  return box
}
async function refresh() {
  const state = document.getElementById('state')
  try {
    const { notReady, notices, ...status } = await (await fetch('/status.json')).json()
    const at = performance.now()
    state.className = notReady.length ? 'not' : 'ready'
    const lines = notReady.length ? ['Not ready:', ...notReady] : ['Ready']
    state.textContent = [...lines, ...notices].join('\\n')
    document.getElementById('sections').replaceChildren(
      ...Object.entries(status).map(([title, values]) => section(title, values, previous ? (at - previous.at) / 1000 : 0)))
    previous = { at, status }
  } catch {
    state.className = 'not'
    state.textContent = 'The service does not answer.'
  }
  setTimeout(refresh, 1000)
}
refresh()
</script>
</html>
`
