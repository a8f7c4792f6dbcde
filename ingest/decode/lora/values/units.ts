/** Degrees Celsius from a temperature in another unit. */
const CELSIUS_FROM = {
  fahrenheit: (value: number) => ((value - 32) * 5) / 9,
  kelvin: (value: number) => value - 273.15,
  tenths: (value: number) => value / 10,
  hundredths: (value: number) => value / 100,
} as const

type OtherUnit = keyof typeof CELSIUS_FROM

/** Units as codecs write them beside a value: `{"value": 39.2, "unit": "°F"}`. */
const UNITS: readonly (readonly [OtherUnit, RegExp])[] = [
  ['tenths', /^(?:0\.1 ?°?c|1\/10 ?°?c|d°c)$/i],
  ['hundredths', /^(?:0\.01 ?°?c|1\/100 ?°?c|c°c)$/i],
  ['fahrenheit', /^(?:°?f|℉|fahrenheit|degf)$/i],
  ['kelvin', /^(?:°?k|kelvin)$/i],
]

/** Units that a field carries in its name, for example `TempF_SHT`, `temperature_f`, `temperature_x10`. */
const FIELD_UNITS: readonly (readonly [OtherUnit, RegExp])[] = [
  ['fahrenheit', /(?:^tempf|F|_f|fahrenheit)(?=$|_|\d)/],
  ['tenths', /(?:tenths|x10|^temp_?10)$/i],
]

/** °C, to the hundredth where the unit was another; °C is what a field without a unit holds. */
export function celsiusOf(value: number, field: string, unit: unknown): number {
  const found =
    typeof unit === 'string'
      ? UNITS.find(([, words]) => words.test(unit.trim()))
      : FIELD_UNITS.find(([, words]) => words.test(field))
  return found ? Math.round(CELSIUS_FROM[found[0]](value) * 100) / 100 : value
}
