// Loaded before every command: for each file of drizzle-orm Node reads and parses that package's package.json again, 179 KB
// of exports, which took half of the CPU of a start. What is told here is what Node would find.
import * as nodeModule from 'node:module'

/** By specifier: from wherever we import it, it is the same package. */
const resolved = new Map()

// Older versions of Node, which do not have it, are refused by check-runtime.mjs.
nodeModule.registerHooks?.({
  resolve(specifier, context, nextResolve) {
    if (isFileOfDrizzle(specifier, context.parentURL)) {
      return { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true }
    }
    if (!specifier.startsWith('drizzle-orm') || !context.conditions.includes('import')) {
      return nextResolve(specifier, context)
    }
    const known = resolved.get(specifier) ?? { ...nextResolve(specifier, context), shortCircuit: true }
    resolved.set(specifier, known)
    return known
  },
})

/** Its ECMAScript modules name each other by relative paths, extension and all; the others are `.cjs`. */
function isFileOfDrizzle(specifier, parentUrl) {
  return /^\.\.?\/.*\.js$/.test(specifier) && parentUrl?.includes('/node_modules/drizzle-orm/')
}
