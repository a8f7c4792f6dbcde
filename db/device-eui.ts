/**
 * A DevEUI (the 64-bit device address of LoRaWAN) as people write it: 16 hex digits of any case, either bare or
 * with the same separator, `:` or `-`, between every two bytes.
 */
export const DEV_EUI =
  /^(?:[0-9A-Fa-f]{16}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){7}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){7})$/

/** Length of a DevEUI without separators. */
const BARE_LENGTH = 16

/** The one form in which FrostGuard stores and compares DevEUIs, 16 lower-case hex digits; null if `text` is not a DevEUI. */
export function normalizeDevEui(text: string): string | null {
  return DEV_EUI.test(text) ? canonicalDevEui(text) : null
}

/** Like `normalizeDevEui`, for a text that is known to match `DEV_EUI`. */
export function canonicalDevEui(devEui: string): string {
  const bare = devEui.length === BARE_LENGTH ? devEui : devEui.replaceAll(/[:-]/g, '')
  return bare.toLowerCase()
}
