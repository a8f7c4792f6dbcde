import { loadScenarios } from './testing/scenario-files.ts'
import { testScenarios } from './testing/scenario-tests.ts'

// The worked examples; all others are among the slow tests.
testScenarios(loadScenarios().filter(({ id }) => id.startsWith('S')))
