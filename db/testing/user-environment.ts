/**
 * The environment of a user who has set nothing but these, for programs that tests start. What the test run sets for Node
 * only saves time.
 */
export function userEnvironment(env: Record<string, string>): NodeJS.ProcessEnv {
  const { PATH, HOME, NODE_COMPILE_CACHE, NODE_OPTIONS } = process.env
  return { PATH, HOME, NODE_COMPILE_CACHE, NODE_OPTIONS, ...env }
}
