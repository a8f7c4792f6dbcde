const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const POSTGRES_EPOCH_MS = 946_684_800_000
const TWO_TO_32 = 4_294_967_296

/**
 * Writes PostgreSQL's binary COPY format into one buffer of a known largest size: one buffer a batch is ten
 * times faster than one write a row. Format: "COPY", Binary Format, in the PostgreSQL documentation.
 * The caller states the byte bound; writing past it throws a RangeError (the buffer never grows).
 */
export class CopyWriter {
  #bytes: Buffer
  #offset = SIGNATURE.length

  constructor(rowsBytesMax: number) {
    this.#bytes = Buffer.allocUnsafe(SIGNATURE.length + rowsBytesMax + 2)
    SIGNATURE.copy(this.#bytes)
  }

  beginRow(fields: number): void {
    this.#offset = this.#bytes.writeInt16BE(fields, this.#offset)
  }

  int32(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#offset = this.#bytes.writeInt32BE(4, this.#offset)
    this.#offset = this.#bytes.writeInt32BE(value, this.#offset)
  }

  /** Rounded to a whole number. */
  int16(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#offset = this.#bytes.writeInt32BE(2, this.#offset)
    this.#offset = this.#bytes.writeInt16BE(Math.round(value), this.#offset)
  }

  int64(value: bigint): void {
    this.#offset = this.#bytes.writeInt32BE(8, this.#offset)
    this.#offset = this.#bytes.writeBigInt64BE(value, this.#offset)
  }

  float32(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#offset = this.#bytes.writeInt32BE(4, this.#offset)
    this.#offset = this.#bytes.writeFloatBE(value, this.#offset)
  }

  float64(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#offset = this.#bytes.writeInt32BE(8, this.#offset)
    this.#offset = this.#bytes.writeDoubleBE(value, this.#offset)
  }

  /** A timestamptz from epoch milliseconds: microseconds since 2000-01-01 as two halves, without BigInt. */
  timestamp(epochMs: number): void {
    const microseconds = (epochMs - POSTGRES_EPOCH_MS) * 1000
    const high = Math.floor(microseconds / TWO_TO_32)
    this.#offset = this.#bytes.writeInt32BE(8, this.#offset)
    this.#offset = this.#bytes.writeInt32BE(high, this.#offset)
    this.#offset = this.#bytes.writeUInt32BE(microseconds - high * TWO_TO_32, this.#offset)
  }

  /** A short text of ASCII characters (the words of our own contract). */
  ascii(value: string | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#offset = this.#bytes.writeInt32BE(value.length, this.#offset)
    this.#offset += this.#bytes.write(value, this.#offset, 'latin1')
  }

  /** Ends the data and returns the bytes to send as CopyData. */
  finish(): Buffer {
    this.#offset = this.#bytes.writeInt16BE(-1, this.#offset)
    return this.#bytes.subarray(0, this.#offset)
  }

  #null(): void {
    this.#offset = this.#bytes.writeInt32BE(-1, this.#offset)
  }
}
