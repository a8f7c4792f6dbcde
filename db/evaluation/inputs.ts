/** A reading as it is judged. Times are epoch milliseconds, temperatures hundredths of a degree. */
export interface StoredReading {
  kind: 'reading'
  deviceId: number
  /** Where the device stood at `recordedAtMs`. */
  unitId: number
  /** Evaluation time: the earlier one of `recordedAtMs` and `receivedAtMs`. */
  atMs: number
  recordedAtMs: number
  receivedAtMs: number
  /** With the offset of the calibration that held at `atMs`; null = none, or unknown because of a fault. */
  temperatureCenti: number | null
  /** Percent. */
  battery: number | null
  fault: string | null
}

/** A door that opened or closed, as it is judged. */
export interface StoredDoor {
  kind: 'door'
  deviceId: number
  unitId: number
  atMs: number
  recordedAtMs: number
  receivedAtMs: number
  isOpen: boolean
}
