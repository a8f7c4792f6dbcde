import { loadScenarios } from './testing/scenario-files.ts'
import { testScenarios } from './testing/scenario-tests.ts'

testScenarios(loadScenarios())
