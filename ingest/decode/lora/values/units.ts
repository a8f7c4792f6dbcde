/** Degrees Celsius from a temperature in another unit. */
const CELSIUS_FROM = {
  fahrenheit: (value: number) => ((value - 32) * 5) / 9,
  kelvin: (value: number) => value - 273.15,
  tenths: (value: number) => value / 10,
  hundredths: (value: number) => value / 100,
  celsius: (value: number) => value,
} as const

export type Unit = keyof typeof CELSIUS_FROM

/** Units as codecs write them beside a value: `{"value": 39.2, "unit": "°F"}`. */
const UNITS: readonly (readonly [Unit, RegExp])[] = [
  ['celsius', /^(?:°?c|℃|celsius|degc)$/i],
  ['tenths', /^(?:0\.1 ?°?c|1\/10 ?°?c|d°c)$/i],
  ['hundredths', /^(?:0\.01 ?°?c|1\/100 ?°?c|c°c)$/i],
  ['fahrenheit', /^(?:°?f|℉|fahrenheit|degf)$/i],
  ['kelvin', /^(?:°?k|kelvin)$/i],
]

/** °C, to the hundredth where the unit was another: that beside the value, else that of the field's name. */
export function celsiusOf(value: number, unitOfField: Unit, unit: unknown): number {
  const text = typeof unit === 'string' ? unit.trim() : ''
  const found = UNITS.find(([, words]) => words.test(text))?.[0] ?? unitOfField
  return found === 'celsius' ? value : Math.round(CELSIUS_FROM[found](value) * 100) / 100
}
