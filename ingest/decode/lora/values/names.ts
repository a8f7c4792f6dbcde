import type { Unit } from './units.ts'

/** What a field of a decoded payload says. */
export type Meaning =
  /** `unit` stands in the name, as in `TempF_SHT`; absent = °C. */
  | { says: 'temperature'; channel: string; unit?: Unit }
  | { says: 'humidity' }
  | { says: 'battery_level' }
  | { says: 'battery_volts' }
  | { says: 'door' }
  | { says: 'closed' }
  | { says: 'time' }

/**
 * Fields that the codecs of the vendors use, without regard to case, `_`, `-`, `.` and spaces. Names not in here say
 * nothing: a codec has counters, alarms and settings too, and a guess would be stored as a measurement.
 */
const NAMES: readonly (readonly [Meaning, string])[] = [
  [
    { says: 'temperature', channel: 'internal' },
    'temperature temp tempc temperaturec temperaturecelsius airtemperature ambienttemperature sensortemperature temperaturesensor ' +
      'internaltemperature temperatureinternal tempcsht temperaturesht tempnow averagetemperature',
  ],
  [
    { says: 'temperature', channel: 'internal', unit: 'fahrenheit' },
    'temperaturef tempf tempfsht temperaturefahrenheit',
  ],
  [{ says: 'temperature', channel: 'internal', unit: 'tenths' }, 'temperaturetenths temp10 temperaturex10'],
  [
    { says: 'temperature', channel: 'external' },
    'tempcds tempc1 tempctmp117 tempchannel1 temperaturechn1 temperaturech1 externaltemperature externaltemperature1 ' +
      'temperatureexternal extthermistortemperature thermistortemperature probetemperature temperatureprobe ' +
      'exttemperature tempext exttempcsht',
  ],
  [{ says: 'temperature', channel: 'external', unit: 'fahrenheit' }, 'tempfds tempf1'],
  [
    { says: 'temperature', channel: 'external_2' },
    'tempc2 tempchannel2 temperaturechn2 temperaturech2 externaltemperature2',
  ],
  [{ says: 'temperature', channel: 'external_2', unit: 'fahrenheit' }, 'tempf2'],
  [{ says: 'temperature', channel: 'external_3' }, 'tempc3'],
  [{ says: 'temperature', channel: 'external_3', unit: 'fahrenheit' }, 'tempf3'],
  [
    { says: 'humidity' },
    'humidity hum humi humsht relativehumidity airhumidity ambienthumidity humiditysensor humnow rh',
  ],
  [
    { says: 'battery_level' },
    'battery batterylevel batterypercent batterypercentage batlevel batpercent batterycapacity',
  ],
  [
    { says: 'battery_volts' },
    'batv batteryvoltage batterymv batteryvolt batteryvolts batvoltage battv battvolt battmv volt voltage vdd vbat vbatt',
  ],
  [
    { says: 'door' },
    'door doorstate dooropen dooropenstatus doorstatus contactstate contact magnet magnetstatus magnetchn1 magnetchn2 ' +
      'state open',
  ],
  [{ says: 'closed' }, 'closed doorclosed'],
  [{ says: 'time' }, 'systimestamp timestamp time'],
]

const BY_NAME: ReadonlyMap<string, Meaning> = new Map(
  NAMES.flatMap(([meaning, names]) => names.split(' ').map((name) => [name, meaning] as const)),
)

/** Cayenne LPP as The Things Stack decodes it: `temperature_1`, `relative_humidity_2`; ChirpStack has `temperatureSensor: {"1": 4.4}`. */
const NUMBERED = /^(temperature|relativehumidity)\d{1,3}$/

/** What a field of this name says; undefined = nothing that is stored. */
export function meaningOf(field: string): Meaning | undefined {
  const name = field.toLowerCase().replaceAll(/[_\-. ]/g, '')
  return BY_NAME.get(name) ?? BY_NAME.get(NUMBERED.exec(name)?.[1] ?? '')
}
