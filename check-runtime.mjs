// Loaded before every command: the project runs TypeScript directly, which Node 20 cannot.
// The npm package `node` brings the right runtime; npm scripts find it first on their PATH.
const required = 26
const major = Number(process.versions.node.split('.')[0])
if (major < required) {
  console.error(
    `FrostGuard needs Node ${required} or newer, but this command runs on Node ${process.versions.node}.\n` +
      'The project brings its own Node through the npm package "node", whose install script has not run here.\n' +
      'Run "npm ci" without --ignore-scripts (and allow the install script of "node"), then start again with "npm run ...".',
  )
  process.exit(1)
}
await import('./compile-cache.mjs')
await import('./drizzle-imports.mjs')
