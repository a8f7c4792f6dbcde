import { describe, expect, test } from 'vitest'
import { percentOfClass, percentOfLevel, percentOfVolts } from './battery.ts'
import { chooseTemperature } from './choose.ts'
import { readDecoded } from './decoded.ts'
import { readMoments } from './history.ts'
import { mergeMoment } from './merge.ts'
import { readNormalized } from './normalized.ts'
import { temperatureFault } from './sentinels.ts'
import type { Probe } from './types.ts'

const MILESIGHT = { vendor: 'milesight', makeText: 'milesight em300-th' } as const
const LTC2 = { vendor: 'dragino', makeText: 'dragino ltc2' } as const
const LHT65 = { vendor: 'dragino', makeText: 'dragino lht65' } as const
const UNKNOWN = { vendor: null, makeText: '' } as const

describe('a number that stands for no temperature', () => {
  test.each([
    [327.67, 'no_probe'],
    [3276.7, 'no_probe'],
    [-327.68, 'no_probe'],
    [655.35, 'no_probe'],
    [-127, 'no_probe'],
    [127.94, 'no_probe'],
    [85, 'other'],
    [-258.97, 'out_of_range'],
    [19_671.13, 'out_of_range'],
    [Number.POSITIVE_INFINITY, 'out_of_range'],
    [200.01, 'out_of_range'],
    [-100.01, 'out_of_range'],
  ])('%d °C is %s', (celsius, fault) => {
    expect(temperatureFault(celsius, '')).toBe(fault)
    const { probes } = readDecoded({ temperature: celsius }, MILESIGHT)
    expect(probes).toMatchObject([{ temperature: null, fault }])
  })

  test.each([0, -0.1, 84.9, 85.06, -100, 200, -40])('%d °C is a temperature', (celsius) => {
    expect(temperatureFault(celsius, '')).toBeNull()
  })
})

test('a codec that writes INVALID for a number', () => {
  const comtac = { vendor: 'comtac', makeText: 'comtac lpn-cm4' } as const
  const { probes, humidity } = readDecoded({ tempNOW: ['INVALID'], humNOW: ['INVALID'] }, comtac)
  expect([probes, humidity]).toMatchObject([[{ temperature: null, fault: 'other' }], null])
})

describe('units', () => {
  test.each<[object, number]>([
    [{ temperature: 4.4 }, 4.4],
    [{ temperature_f: 39.2 }, 4],
    [{ temperatureF: 39.2 }, 4],
    [{ TempF_SHT: -0.4 }, -18],
    [{ temperature: { value: 39.2, unit: '°F' } }, 4],
    [{ temperature: { value: 277.15, unit: 'K' } }, 4],
    [{ temperature: { value: 44, unit: '0.1°C' } }, 4.4],
    [{ temperature_x10: 44 }, 4.4],
    [{ temperature_tenths: -181 }, -18.1],
    [{ air_temperature: { value: 4.4, unit: '°C' } }, 4.4],
    [{ temperature_10: 4.4 }, 4.4],
    [{ temperatureSensor: { 1: 4.4 } }, 4.4],
    [{ 'temperature-f': 39.2 }, 4],
    [{ 'temp f': 39.2 }, 4],
    [{ TempFDS: -0.4 }, -18],
    [{ temperaturef: 39.2 }, 4],
    [{ temperature_f: { value: 39.2, unit: '' } }, 4],
    [{ temperature_f: { value: 4, unit: '°C' } }, 4],
    [{ temperature: [4.4] }, 4.4],
    [{ tempNOW: [4.4, 4.5] }, 4.4],
    [{ externalTemperature2: [4.4, 4.5] }, 4.4],
    [{ TempC_DS: '26.93' }, 26.93],
    [{ temperature: '-4.40' }, -4.4],
    [{ temperature: { value: '4.4' } }, 4.4],
  ])('%j is %d °C', (decoded, celsius) => {
    expect(readDecoded({ ...decoded }, UNKNOWN).probes).toMatchObject([{ temperature: celsius }])
  })

  test.each<[object]>([
    [{ temperature: '4.4 or so' }],
    [{ temperature: '' }],
    [{ temperature_alarm: 1 }],
    [{ temperature: null }],
    [{ temperature: { min: 2, max: 8 } }],
    [{ Temp: [4.4, 4.5, 4.6] }],
  ])('%j says nothing', (decoded) => {
    expect(readDecoded({ ...decoded }, UNKNOWN).probes).toEqual([])
  })

  test('numbers as text, as the older codecs of Dragino give them', () => {
    const lht65 = { BatV: '3.062', Hum_SHT: '92.7', TempC_DS: '26.93', TempC_SHT: '26.68' }
    expect(readDecoded(lht65, LHT65)).toMatchObject({
      battery: 100,
      humidity: 92.7,
      probes: [
        { channel: 'external', temperature: 26.93 },
        { channel: 'internal', temperature: 26.68 },
      ],
    })
  })
})

describe('words in the place of a number are faults, so that no other probe takes its place', () => {
  test.each([
    ['NULL', 'no_probe'],
    ['no probe', 'no_probe'],
    ['disconnected', 'no_probe'],
    ['over_range', 'out_of_range'],
    ['lower_range_err', 'out_of_range'],
    ['collection_err', 'other'],
    ['NaN', 'other'],
  ])('%s: %s', (word, fault) => {
    const { probes } = readDecoded({ Temp_Channel1: word, Temp_Channel2: 21.5 }, LTC2)
    expect(chooseTemperature(probes, undefined)).toEqual({ temperature: null, fault })
  })
})

describe('85 °C', () => {
  test.each(['milesight em500-pt100', 'laird rs1xx-ext-temp-rtd-sensor', 'dragino ltc2', 'netvox r718ct'])(
    'is a temperature of %s, which has no DS18B20',
    (makeText) => {
      const { probes } = readDecoded({ temperature: 85 }, { vendor: null, makeText })
      expect(probes).toMatchObject([{ temperature: 85, fault: null }])
    },
  )

  test('is a fault in the normalized payload of others, and passed over', () => {
    expect(readNormalized([{ air: { temperature: 85 } }], UNKNOWN)).toMatchObject([{ probes: [] }])
    const pt100 = { vendor: null, makeText: 'em500-pt100' } as const
    expect(readNormalized([{ air: { temperature: 85 } }], pt100)).toMatchObject([
      { probes: [{ temperature: 85 }] },
    ])
  })
})

describe("Dragino's records", () => {
  const chosen = (decoded: object, makeText = 'dragino lht65') =>
    chooseTemperature(readDecoded({ ...decoded }, { vendor: 'dragino', makeText }).probes, undefined)

  test.each([
    ['Ext_sensor', 'Illumination Sensor'],
    ['Work_mode', 'Interrupt Sensor send'],
    ['Work_mode', 'ADC Sensor'],
  ])('%s %s: what is not connected is no temperature probe', (field, kind) => {
    const decoded = { TempC_SHT: 4.2, No_connect: 'Sensor no connection', [field]: kind }
    expect(chosen(decoded)).toEqual({ temperature: 4.2, fault: null })
  })

  test.each([{ Ext_sensor: 'Temperature Sensor' }, { Work_mode: 'DS18B20 & timestamp' }, {}])(
    '%j: a probe has come off',
    (kind) => {
      const decoded = { TempC_SHT: 22, No_connect: 'Sensor no connection', ...kind }
      expect(chosen(decoded)).toEqual({ temperature: null, fault: 'no_probe' })
    },
  )

  test('an external SHT31 comes before the built-in sensor', () => {
    expect(chosen({ TempC_SHT: 22, Ext_TempC_SHT: -18.2 })).toEqual({ temperature: -18.2, fault: null })
  })

  test('the pin of a D20, which has no Work_mode, is no door', () => {
    const d20 = { BatV: 3.3, EXTI_Trigger: 'FALSE', Door_status: 'OPEN', TempC1: 4.2 }
    expect(readDecoded(d20, { vendor: 'dragino', makeText: 'dragino d20-lb' }).door).toBeNull()
  })

  test('an LSN50v2-S31 has no other probe than its SHT31', () => {
    const s31 = { Work_mode: 'IIC', Door_status: 'OPEN', TempC1: 0, TempC_SHT: 4.2 }
    expect(chosen(s31, 'dragino lsn50v2-s31')).toEqual({ temperature: 4.2, fault: null })
    expect(chosen(s31, 'dragino lsn50v2-d20')).toEqual({ temperature: null, fault: 'no_probe' })
  })
})

test('the status of a TBDW100 is its door; of other sensors of Browan it is not', () => {
  const decoded = { status: 1, battery: 3.6, temperatureBoard: 20, time: 7, count: 12 }
  expect(readDecoded(decoded, { vendor: 'browan', makeText: 'browan tbdw100' }).door).toBe('open')
  expect(readDecoded(decoded, { vendor: 'browan', makeText: 'browan tbhh100' }).door).toBeNull()
})

test('Netvox writes beside the volts that they are low', () => {
  const r718f = { vendor: 'netvox', makeText: 'netvox r718f' } as const
  expect(readDecoded({ Volt: '3.2(low battery)' }, r718f).battery).toBe(15)
})

describe('several temperatures of one kind', () => {
  test.each([
    [{ temperature_1: 4.4, temperature_2: -18 }, 'temperature_2'],
    [{ temperatureSensor: { 1: 4.4, 2: -18 } }, 'temperatureSensor.2'],
    [{ externalTemperature: 4.4, TempC1: -18 }, 'TempC1'],
  ])('%j: the first, or the one that is asked for', (decoded, source) => {
    const { probes } = readDecoded({ ...decoded }, UNKNOWN)
    expect(chooseTemperature(probes, undefined)).toEqual({ temperature: 4.4, fault: null })
    expect(chooseTemperature(probes, source)).toEqual({ temperature: -18, fault: null })
  })

  test('also beside a normalized payload', () => {
    const decoded = readDecoded({ temperature_1: 44, temperature_2: -18 }, UNKNOWN)
    const [normalized = decoded] = readNormalized([{ air: { temperature: 4.4 } }], UNKNOWN)
    const { probes } = mergeMoment(normalized, decoded)
    expect(chooseTemperature(probes, undefined).temperature).toBe(4.4)
    expect(chooseTemperature(probes, 'temperature_2').temperature).toBe(-18)
  })

  test('more than any device has are left out', () => {
    const many = Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`temperature_${n}`, 4]))
    expect(readDecoded(many, UNKNOWN).probes).toHaveLength(32)
  })
})

describe('batteries', () => {
  test.each([
    ['thionyl chloride, full', 3.6, LTC2, 100],
    ['the same, above full', 3.69, LTC2, 100],
    ['the same, between two points', 3.4, LTC2, 40],
    ['the same, empty', 2.5, LTC2, 0],
    ['manganese dioxide at the voltage where that is low', 3.0, LHT65, 100],
    ['millivolts', 3_600, LTC2, 100],
    ['a percentage in a field of volts', 80, MILESIGHT, 80],
    ['a voltage of an unknown make', 3.6, UNKNOWN, null],
    ['volts of a power supply in millivolts', 12_000, LTC2, null],
    ['no number that ends', Number.POSITIVE_INFINITY, LTC2, null],
    ['nothing', 0, LTC2, null],
  ])('%s', (_what, value, make, percent) => {
    expect(percentOfVolts(value, make)).toBe(percent)
  })

  test.each([
    ['percent', 3, MILESIGHT, 3],
    ['half percents', 2.5, MILESIGHT, 2.5],
    ['volts in a field of percent', 3.62, LTC2, 100],
    ['volts where the vendor always has volts', 3.5, { vendor: 'browan', makeText: '' } as const, 60],
    ['255 for unknown', 255, MILESIGHT, null],
    ['another scale', 180, MILESIGHT, null],
  ])('%s', (_what, value, make, percent) => {
    expect(percentOfLevel(value, make)).toBe(percent)
  })

  test.each([
    ['80-100%', 80],
    ['0-5%', 0],
    ['40%', 40],
    ['full', null],
  ])('a class, %s', (text, percent) => {
    expect(percentOfClass(text)).toBe(percent)
  })
})

describe('doors', () => {
  test.each<[object, string | null]>([
    [{ door: 'open' }, 'open'],
    [{ state: 'Open' }, 'open'],
    [{ magnet_status: 'close' }, 'closed'],
    [{ magnet_chn2: 'opened' }, 'open'],
    [{ DOOR_OPEN_STATUS: 1 }, 'open'],
    [{ DOOR_OPEN_STATUS: 0 }, 'closed'],
    [{ open: false }, 'closed'],
    [{ closed: true }, 'closed'],
    [{ Device: 'R718F', OnOff: 0 }, 'closed'],
    [{ Device: 'R718N', OnOff: 0 }, null],
    [{ OnOff: 0 }, null],
    [{ state: 1 }, null],
    [{ state: 'joined' }, null],
    [{ door: 2 }, null],
    [{ Door_status: 'OPEN', Work_mode: 'IIC' }, null],
  ])('%j: %s', (decoded, state) => {
    expect(readDecoded({ ...decoded }, UNKNOWN).door).toBe(state)
  })

  test('Strips says true for closed', () => {
    const strips = { vendor: 'sensative', makeText: 'sensative strips' } as const
    expect(readDecoded({ door: { value: true } }, strips).door).toBe('closed')
    expect(readDecoded({ door: { value: false } }, strips).door).toBe('open')
  })

  test('Strips are known by their fields too, where no profile names them', () => {
    expect(readDecoded({ historySeqNr: 1, door: { value: true } }, UNKNOWN).door).toBe('closed')
    const now = 'Fri, 20 Nov 2026 10:00:00 GMT'
    const history = { now, 12: { timeStamp: now, door: { value: true } } }
    expect(readMoments({ history }, UNKNOWN)).toMatchObject([{ door: 'closed' }])
  })
})

describe('of several temperatures', () => {
  const probe = (channel: string, temperature: number | null, change: Partial<Probe> = {}): Probe => ({
    channel,
    field: `field_${channel}`,
    temperature,
    fault: temperature === null ? 'no_probe' : null,
    isAbsent: false,
    ...change,
  })
  const internal = probe('internal', 22)
  const external = probe('external', -18)

  test.each([
    ['the external one', [internal, external], undefined, -18],
    ['the only one', [internal], undefined, 22],
    ['the one that is asked for', [internal, external], 'internal', 22],
    ['in any case', [internal, external], 'Internal', 22],
    ['by its field', [internal, external], 'field_internal', 22],
    ['the first of two probes', [probe('external_2', 3), external], undefined, -18],
    [
      'the device itself where it says that there is no probe',
      [internal, probe('external', null, { isAbsent: true })],
      undefined,
      22,
    ],
  ])('%s', (_what, probes, source, temperature) => {
    expect(chooseTemperature(probes, source)).toEqual({ temperature, fault: null })
  })

  test.each([
    ['a probe that has failed', [internal, probe('external', null)], undefined],
    ['one that is asked for and missing', [internal], 'external'],
    [
      'one that is asked for and not there',
      [internal, probe('external', null, { isAbsent: true })],
      'external',
    ],
    ['one that is not there, alone', [probe('external', null, { isAbsent: true })], undefined],
  ])('%s is a fault, not another temperature', (_what, probes, source) => {
    expect(chooseTemperature(probes, source)).toEqual({ temperature: null, fault: 'no_probe' })
  })
})

describe('normalized payloads', () => {
  test('what is not plausible is passed over, a field at a time', () => {
    const measurements = [{ air: { temperature: -300, relativeHumidity: 55 } }, { battery: 3.6 }]
    expect(readNormalized(measurements, LTC2)).toMatchObject([{ probes: [], humidity: 55, battery: 100 }])
  })

  test('each time is a moment', () => {
    const moments = readNormalized(
      [
        { time: '2026-11-20T10:00:00Z', air: { temperature: 3 } },
        { time: '2026-11-20T10:05:00Z', air: { temperature: 4 } },
      ],
      MILESIGHT,
    )
    expect(moments).toMatchObject([
      { atMs: Date.parse('2026-11-20T10:00:00Z'), isHistory: true, probes: [{ temperature: 3 }] },
      { atMs: Date.parse('2026-11-20T10:05:00Z'), isHistory: true, probes: [{ temperature: 4 }] },
    ])
  })

  test('a contact', () => {
    expect(readNormalized([{ action: { contactState: 'open' } }], MILESIGHT)).toMatchObject([
      { door: 'open' },
    ])
  })
})

describe('what a device has kept', () => {
  test('Milesight: records with seconds since 1970', () => {
    const history = [{ timestamp: 1_665_561_758, temperature: 27.2, humidity: 46.5 }]
    expect(readMoments({ temperature: 4, history }, MILESIGHT)).toMatchObject([
      { isHistory: false, atMs: null, probes: [{ temperature: 4 }] },
      { isHistory: true, atMs: 1_665_561_758_000, humidity: 46.5, probes: [{ temperature: 27.2 }] },
    ])
  })

  test('Sensative: records by their counter, so long before the frame', () => {
    const strips = { vendor: 'sensative', makeText: 'strips' } as const
    const history = {
      now: 'Fri, 20 Nov 2026 10:00:00 GMT',
      12: { timeStamp: 'Fri, 20 Nov 2026 09:00:00 GMT', temperature: { value: 23.4 } },
      13: { timeStamp: 'Fri, 20 Nov 2026 09:30:00 GMT', door: { value: false } },
    }
    expect(readMoments({ history }, strips)).toMatchObject([
      { isHistory: true, atMs: null, beforeMs: 3_600_000, probes: [{ temperature: 23.4 }] },
      { isHistory: true, atMs: null, beforeMs: 1_800_000, door: 'open' },
    ])
  })

  const timestamp = { year: 2026, month: 'November', day: 20, hours: 9, minutes: 30, seconds: 5 }
  const laird = { vendor: 'laird', makeText: 'laird rs1xx' } as const

  test('Laird: a backlog, each reading with its time', () => {
    const readings = [
      { timestamp, temperature: 3 },
      { timestamp: { ...timestamp, minutes: 45 }, temperature: 4 },
    ]
    expect(readMoments({ msgType: 'SendBackLogMessages', readings }, laird)).toMatchObject([
      { isHistory: true, atMs: Date.parse('2026-11-20T09:30:05Z') },
      { isHistory: true, atMs: Date.parse('2026-11-20T09:45:05Z') },
    ])
    const single = { msgType: 'SendBackLogMessage', timestamp, temperature: 3 }
    expect(readMoments(single, laird)).toMatchObject([
      { isHistory: true, atMs: Date.parse('2026-11-20T09:30:05Z') },
    ])
  })

  test('Laird: several readings, of which the last has the time of the whole', () => {
    const readings = [{ temperature: 3 }, { temperature: 4 }]
    const whole = { msgType: 'Laird_Agg_TH', batteryCapacity: '80-100%', timestamp, readings }
    expect(readMoments(whole, laird)).toMatchObject([
      { isHistory: false, atMs: null, battery: 80, probes: [] },
      { isHistory: true, atMs: null, probes: [{ temperature: 3 }] },
      { isHistory: true, atMs: Date.parse('2026-11-20T09:30:05Z'), probes: [{ temperature: 4 }] },
    ])
  })
})
