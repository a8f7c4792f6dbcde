import { onTestFinished } from 'vitest'

/** Ends with the test. */
export function testResources(): AsyncDisposableStack {
  const resources = new AsyncDisposableStack()
  onTestFinished(() => resources.disposeAsync())
  return resources
}
