/** Payloads of the vendors' documentation beside those of vectors.test.ts. */
import { describe, expect, test } from 'vitest'
import { decodeDragino } from './dragino.ts'
import { decodeElsys } from './elsys.ts'
import { decodeMilesight } from './milesight.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** Examples of https://github.com/Milesight-IoT/SensorDecoders, README of each model. */
describe('Milesight', () => {
  test.each<[string, string, object]>([
    ['em300-th', '01755C 03673401 046865', { battery: 92, temperature: 30.8, humidity: 50.5 }],
    [
      'em300-th',
      '20CE9E74466310015D00',
      { history: [{ timestamp: 1_665_561_758, temperature: 27.2, humidity: 46.5 }] },
    ],
    [
      'em320-th',
      '20CE9E74466310015D',
      { history: [{ timestamp: 1_665_561_758, temperature: 27.2, humidity: 46.5 }] },
    ],
    [
      'em300-mcs',
      '01755C 03673401 046865 060001',
      { battery: 92, temperature: 30.8, humidity: 50.5, magnet_status: 'open' },
    ],
    [
      'em300-mcs',
      '20CE9E74466310015D01',
      { history: [{ timestamp: 1_665_561_758, temperature: 27.2, humidity: 46.5, magnet_status: 'open' }] },
    ],
    ['em300-th', '036701FF', { temperature: -25.5 }],
    ['em300-th', '0367FFFF', { temperature: -0.1 }],
    ['ws301', '017564 030001 040001', { battery: 100, door: 'open' }],
    ['ws301', '017564 030000 040000', { battery: 100, door: 'closed' }],
    ['ts301', '017564 0367F100 040001', { battery: 100, temperature_chn1: 24.1, magnet_chn2: 'open' }],
    [
      'ts301',
      '017564 03672701 8367270100 04670801',
      { battery: 100, temperature_chn1: 29.5, temperature_chn2: 26.4 },
    ],
    ['ts302', '94D70401820002', { temperature_chn2: 26 }],
    [
      'ts301',
      '20CEC79AFA6444BDFFF600',
      { history: [{ timestamp: 1_694_145_223, temperature_chn1: -6.7, temperature_chn2: 24.6 }] },
    ],
  ])('%s %s', (model, bytes, decoded) => {
    expect(decodeMilesight(hex(bytes), `milesight ${model}`)).toEqual({ history: [], ...decoded })
  })

  test('em320-th: humidity in tenths, and a sensor that cannot be read', () => {
    expect(decodeMilesight(hex('049A0102'), 'milesight em320-th')).toEqual({ history: [], humidity: 51.3 })
    expect(decodeMilesight(hex('B3670100'), 'milesight em320-th')).toEqual({
      history: [],
      temperature: 'collection_err',
    })
  })

  test.each([
    ["a later ts301's history, with humidity first and -999 for none", 'ts301', '20CEC79AFA644019FCF600'],
    ["a later ts301's history of a door", 'ts301', '20CEC79AFA644019FC17FC'],
    ['a model that is not known', 'em500-udl', '01755C'],
    ['a channel that is not known', 'em300-th', '01755C 0B6700'],
    ['a value that is cut', 'em300-th', '036734'],
    ['half a channel', 'em300-th', '01755C 03'],
    ['a cut record', 'em300-th', '20CE9E744663'],
  ])('%s: another format', (_what, model, bytes) => {
    expect(decodeMilesight(hex(bytes), `milesight ${model}`)).toBeNull()
  })
})

describe('Milesight, its model not named: what means the same in all of them', () => {
  const NAMES_NO_MODEL = 'milesight cooler'

  test.each<[string, object]>([
    ['01755C 03673401 046865', { battery: 92, temperature: 30.8, humidity: 50.5 }],
    ['8367340101', { temperature: 30.8 }],
    ['FF0BFF FF0101 0367F6FF', { temperature: -1 }],
  ])('%s', (bytes, decoded) => {
    expect(decodeMilesight(hex(bytes), NAMES_NO_MODEL)).toEqual({ history: [], ...decoded })
  })

  test.each([
    ['a door of a WS301 or the motion of a WS202', '017564 030001'],
    ['the tamper contact of a WS301 or the door of a TS301', '01755C 03673401 040001'],
    ['the second probe of a TS301 or the target of a thermostat', '03673401 04670801'],
    ['the moisture of a soil sensor', '01755C 03671201 046871 057FF000'],
    ['a door of an EM300-MCS or an input of a controller', '01755C 03673401 046865 060001'],
    ['records, which each model writes in its own way', '20CE9E74466310015D00'],
    ['a cut value', '01755C 036734'],
    ['-0.1 °C or a sensor that could not be read', '01755C 0367FFFF'],
    ['-0.3 °C or a temperature out of range', '01755C 0367FDFF'],
    ['the same with an alarm', '8367FDFF01'],
    ['a humidity above 100 %', '01755C 0468C9'],
  ])('not %s', (_what, bytes) => {
    expect(decodeMilesight(hex(bytes), NAMES_NO_MODEL)).toBeNull()
  })

  test.each(['em500-smtc', 'AM307', 'ws202', 'uc300', 'wt101', 'cooler_ct101', 'profile_WS202'])(
    'not of a model without a decoder: %s',
    (model) => {
      expect(decodeMilesight(hex('01755C 03673401'), `milesight ${model}`.toLowerCase())).toBeNull()
    },
  )
})

describe('Dragino', () => {
  const lht65 = (bytes: string) => decodeDragino(hex(bytes), 'dragino lht65n', 2)

  test('LHT65N without its probe', () => {
    expect(lht65('CBF60B0D0376017FFF7FFF')).toEqual({
      BatV: 3.062,
      TempC_SHT: 28.29,
      Hum_SHT: 88.6,
      TempC_DS: 327.67,
    })
    expect(lht65('CBF60B0D0376810ADD7FFF')).toMatchObject({ No_connect: 'Sensor no connection' })
    expect(lht65('CBF60B0D0376007FFF7FFF')).toEqual({ BatV: 3.062, TempC_SHT: 28.29, Hum_SHT: 88.6 })
  })

  test('LHT65N with its own time', () => {
    expect(lht65('F8F2 0B0D C376 09 6050A0B0')).toEqual({
      TempC_DS: -18.06,
      TempC_SHT: 28.29,
      Hum_SHT: 88.6,
      Systimestamp: 0x6050a0b0,
    })
  })

  test.each<[string, string, object]>([
    [
      'TMP117 with its own time',
      'F8F2 0B0D C376 0A 6050A0B0',
      { TempC_TMP117: -18.06, Systimestamp: 0x6050a0b0 },
    ],
    ['SHT31', 'CBF6 0B0D 0376 0B F8F2 0200', { BatV: 3.062, Ext_TempC_SHT: -18.06 }],
    ['a light sensor that is not connected', 'CBF6 0B0D 0376 85 0000 7FFF', { BatV: 3.062 }],
  ])('LHT65N with %s', (_what, bytes, decoded) => {
    expect(lht65(bytes)).toEqual({ TempC_SHT: 28.29, Hum_SHT: 88.6, ...decoded })
  })

  test('LHT65N, the id of its probe in the place of temperatures', () => {
    expect(lht65('CBF6 2812 3456 0F 789ABCDE')).toEqual({ BatV: 3.062 })
    expect(lht65('CBF6 2812 3456 10 0ADD7FFF')).toBeNull()
    expect(lht65('CBF6 2812 3456 20 0ADD7FFF')).toBeNull()
    expect(lht65('CBF6 2812 3456 0E 0ADD7FFF')).toBeNull()
  })

  test('LHT65N, a data log of something else than is known', () => {
    expect(lht65('F8F2 0B0D 0376 4B 6050A0B0  F8F3 0B0D 0376 4B 6050A1DC')).toBeNull()
  })

  test('LHT65N, what it sends again as nobody has acknowledged it: the bit is that of a lost probe', () => {
    const record = { TempC_DS: -18.06, TempC_SHT: 28.29, Hum_SHT: 88.6 }
    expect(lht65('F8F2 0B0D 0376 81 6850A0B0')).toEqual({ history: [{ timestamp: 0x6850a0b0, ...record }] })
    expect(lht65('F8F2 0B0D 0376 81 6850A0B0  F8F2 0B0D 0376 81 6850A1DC')).toEqual({
      history: [
        { timestamp: 0x6850a0b0, ...record },
        { timestamp: 0x6850a1dc, ...record },
      ],
    })
    expect(lht65('CBF6 0B0D 0376 81 7FFF7FFF')).toMatchObject({ No_connect: 'Sensor no connection' })
  })

  test('LHT65N, its data log: zeros are no record', () => {
    const records = 'F8F2 0B0D 0376 41 6050A0B0  F8F3 0B0D 0376 41 6050A1DC  0000 0000 0000 40 00000000'
    expect(lht65(records)).toEqual({
      history: [
        { timestamp: 0x6050a0b0, TempC_DS: -18.06, TempC_SHT: 28.29, Hum_SHT: 88.6 },
        { timestamp: 0x6050a1dc, TempC_DS: -18.05, TempC_SHT: 28.29, Hum_SHT: 88.6 },
      ],
    })
  })

  test('LTC2: tenths, and resistances, which say nothing', () => {
    const ltc2 = (bytes: string) => decodeDragino(hex(bytes), 'dragino ltc2', 2)
    expect(ltc2('0E5502 FF4C 00D7 60E43CC6')).toMatchObject({ Temp_Channel1: -18, Temp_Channel2: 21.5 })
    expect(ltc2('0E5503 FF4C 00D7 60E43CC6')).toEqual({ BatV: 3.669, Systimestamp: 0x60e43cc6 })
  })

  test('LDS02: the highest bit is the door', () => {
    const lds02 = (bytes: string) => decodeDragino(hex(bytes), 'dragino lds02', 10)
    expect(lds02('8B8801001BB300000000')).toEqual({ BAT_V: 2.952, DOOR_OPEN_STATUS: 1 })
    expect(lds02('0B8801001BB300000000')).toEqual({ BAT_V: 2.952, DOOR_OPEN_STATUS: 0 })
    expect(lds02('8B880300000000000000')).toEqual({ BAT_V: 2.952, DOOR_OPEN_STATUS: 1 })
    expect(lds02('0B8802')).toBeNull()
  })

  test.each([
    ['another port', 'dragino lht65', 3, 'CBF60B0D0376010ADD7FFF'],
    ['too short', 'dragino lht65', 2, 'CBF60B0D037601'],
    ['a model that is not known', 'dragino lsn50', 2, 'CBF60B0D0376010ADD7FFF'],
  ])('%s', (_what, make, port, bytes) => {
    expect(decodeDragino(hex(bytes), make, port)).toBeNull()
  })
})

describe('Elsys', () => {
  test.each<[string, string, object]>([
    ['external temperature', '0100E2 0CFF4C', { temperature: 22.6, externalTemperature: -18 }],
    ['two external temperatures', '0CFF4C 190028', { externalTemperature: -18, externalTemperature2: 4 }],
    ['no probe', '0C7FFF', { externalTemperature: 3276.7 }],
    ['values that are passed over', '04002705060603E8 0229', { humidity: 41 }],
    ['battery', '070E0A', { vdd: 3594 }],
  ])('%s', (_what, bytes, decoded) => {
    expect(decodeElsys(hex(bytes))).toEqual(decoded)
  })

  test.each([
    ['a type that is not known', '0100E2 FF01'],
    ['a cut value', '0100'],
  ])('%s: another format', (_what, bytes) => {
    expect(decodeElsys(hex(bytes))).toBeNull()
  })
})
