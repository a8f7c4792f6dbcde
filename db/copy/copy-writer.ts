const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const POSTGRES_EPOCH_MS = 946_684_800_000
const TWO_TO_32 = 4_294_967_296
const INT16_MIN = -32_768
const INT16_MAX = 32_767

/**
 * Writes PostgreSQL's binary COPY format into one buffer of a known largest size: one buffer a batch is ten
 * times faster than one write a row. Format: "COPY", Binary Format, in the PostgreSQL documentation.
 * The caller states the byte bound; writing past it throws a RangeError (the buffer never grows).
 */
export class CopyWriter {
  readonly #bytes: Buffer
  /** Over the same memory: the compiler turns its methods into plain stores, those of Buffer it does not. */
  readonly #view: DataView
  #offset = SIGNATURE.length

  constructor(rowsBytesMax: number) {
    this.#bytes = Buffer.allocUnsafe(SIGNATURE.length + rowsBytesMax + 2)
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
    SIGNATURE.copy(this.#bytes)
  }

  beginRow(fields: number): void {
    this.#view.setInt16(this.#offset, fields)
    this.#offset += 2
  }

  int32(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    // A DataView would cut it to its bits.
    if ((value | 0) !== value) throw outOfRange('int4', value)
    this.#length(4)
    this.#view.setInt32(this.#offset, value)
    this.#offset += 4
  }

  /** Rounded to a whole number. */
  int16(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    const whole = Math.round(value)
    if (!(whole >= INT16_MIN && whole <= INT16_MAX)) throw outOfRange('int2', value)
    this.#length(2)
    this.#view.setInt16(this.#offset, whole)
    this.#offset += 2
  }

  int64(value: bigint): void {
    this.#length(8)
    this.#view.setBigInt64(this.#offset, value)
    this.#offset += 8
  }

  float32(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#length(4)
    this.#view.setFloat32(this.#offset, value)
    this.#offset += 4
  }

  float64(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#length(8)
    this.#view.setFloat64(this.#offset, value)
    this.#offset += 8
  }

  /** A timestamptz from epoch milliseconds: microseconds since 2000-01-01 as two halves, without BigInt. */
  timestamp(epochMs: number): void {
    // A DataView would write 0 for it: a time in the year 2000.
    if (!Number.isFinite(epochMs)) throw outOfRange('timestamptz', epochMs)
    const microseconds = (epochMs - POSTGRES_EPOCH_MS) * 1000
    const high = Math.floor(microseconds / TWO_TO_32)
    this.#length(8)
    this.#view.setInt32(this.#offset, high)
    this.#view.setUint32(this.#offset + 4, microseconds - high * TWO_TO_32)
    this.#offset += 8
  }

  /** A short text of ASCII characters (the words of our own contract). */
  ascii(value: string | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#length(value.length)
    for (let index = 0; index < value.length; index++) {
      this.#view.setUint8(this.#offset++, value.charCodeAt(index))
    }
  }

  /** Ends the data and returns the bytes to send as CopyData. */
  finish(): Buffer {
    this.beginRow(-1)
    return this.#bytes.subarray(0, this.#offset)
  }

  #null(): void {
    this.#length(-1)
  }

  #length(bytes: number): void {
    this.#view.setInt32(this.#offset, bytes)
    this.#offset += 4
  }
}

/** Rows have a value that cannot be written: a defect of whoever let it in, for repeating it fails for ever. */
export class EncodingError extends Error {
  override name = 'EncodingError'
}

/** The COPY data of rows that `write` writes, with at most so many bytes. Throws an `EncodingError`. */
export function encodeRows(rowsBytesMax: number, write: (copy: CopyWriter) => void): Buffer {
  const copy = new CopyWriter(rowsBytesMax)
  try {
    write(copy)
    return copy.finish()
  } catch (cause) {
    throw new EncodingError(`a value cannot be written: ${cause}`, { cause })
  }
}

function outOfRange(type: string, value: number): RangeError {
  return new RangeError(`${value} does not fit ${type}`)
}
