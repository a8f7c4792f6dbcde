/** Ends a connection for a reason that has been counted and logged where it was found. */
export class RefusalError extends Error {
  override name = 'RefusalError'
  /** The CONNACK return code, where it answers a CONNECT; Aedes reads it. */
  returnCode: number | undefined

  constructor(message: string, options: { returnCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.returnCode = options.returnCode
  }
}
