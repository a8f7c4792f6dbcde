import { z } from 'zod'
import { portSetting } from '../settings.ts'

/** Settings of the operators' HTTP pages, from the environment. */
export const consoleSettings = {
  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: portSetting().default(8080),
  /** Of `npm run evaluator`, which may run beside `npm start` on one machine. */
  EVALUATOR_HTTP_PORT: portSetting().default(8081),
}
