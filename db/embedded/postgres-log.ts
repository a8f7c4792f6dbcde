import { copyFile, open, stat, truncate } from 'node:fs/promises'

const LOG_BYTES_MAX = 8 * 1_048_576

/**
 * Keeps postgres.log bounded: beyond LOG_BYTES_MAX its content replaces that of postgres.log.1. The server goes on with
 * the same file, to which it appends, so the file is emptied and not renamed.
 */
export async function boundLog(path: string): Promise<void> {
  const size = await logSize(path)
  if (size <= LOG_BYTES_MAX) return
  await copyFile(path, `${path}.1`)
  await truncate(path)
}

/** Bytes; 0 when there is no log yet. */
export async function logSize(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}

/** The log from a position on, at most its last `bytesMax`. */
export async function readLog(path: string, from: number, bytesMax: number): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const start = Math.max(from <= size ? from : 0, size - bytesMax)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start)
    return buffer.subarray(0, bytesRead).toString('utf8').trim()
  } finally {
    await file.close()
  }
}
