/** Lowest and highest value that a unit may draw. */
export type Range = readonly [min: number, max: number]

/** How units of one type behave. Temperatures and their differences in °C, of the air unless said otherwise. */
export interface UnitProfile {
  /** Where the fleet file gives no limits. */
  tempMin: number
  tempMax: number
  /** Air between switching on and off. */
  hysteresis: Range
  /** A whole cycle of the compressor with the door closed. */
  cycleMinutes: Range
  /** Share of the cycle in which the compressor runs. */
  duty: Range
  /** Heat that the products and walls hold, in multiples of what the air (and what follows it at once) holds. */
  massRatio: Range
  /** How strongly air and products exchange heat, relative to what keeps the cycle as it is drawn. */
  coupling: number
  /** Openings in the busiest hours. */
  doorsPerHour: Range
  doorSeconds: Range
  /** What an opening of usual length warms the air, in multiples of the hysteresis. */
  doorRise: Range
  loadsPerDay: Range
  /** What a load of warm goods warms the products. */
  loadRise: Range
  /** [0, 0]: never. */
  defrostsPerDay: Range
  defrostMinutes: Range
  /** What a defrost warms the air, as far as the limit leaves room. */
  defrostRise: Range
  /** % relative humidity. */
  humidity: Range
}

const NO_DEFROST = { defrostsPerDay: [0, 0], defrostMinutes: [0, 0], defrostRise: [0, 0] } as const

const FRIDGE: UnitProfile = {
  tempMin: 1,
  tempMax: 6,
  hysteresis: [1.2, 2],
  cycleMinutes: [11, 20],
  duty: [0.25, 0.4],
  massRatio: [4, 8],
  coupling: 1,
  doorsPerHour: [3, 8],
  doorSeconds: [8, 20],
  doorRise: [0.4, 0.8],
  loadsPerDay: [0.5, 2],
  loadRise: [0.3, 0.9],
  ...NO_DEFROST,
  humidity: [55, 75],
}

/** By unit_type. The figures are chosen to be plausible, not taken from data sheets. */
const PROFILES: Record<string, UnitProfile> = {
  fridge: FRIDGE,
  freezer: {
    ...FRIDGE,
    tempMin: -26,
    tempMax: -15,
    hysteresis: [1.8, 2.8],
    cycleMinutes: [15, 30],
    duty: [0.35, 0.5],
    massRatio: [6, 12],
    doorsPerHour: [1, 3],
    doorSeconds: [8, 20],
    loadsPerDay: [0.3, 1],
    defrostsPerDay: [2, 4],
    defrostMinutes: [20, 30],
    defrostRise: [4, 6],
    humidity: [50, 70],
  },
  display_case: {
    ...FRIDGE,
    tempMin: 0,
    tempMax: 7,
    cycleMinutes: [9, 18],
    duty: [0.4, 0.55],
    massRatio: [3, 6],
    doorsPerHour: [8, 20],
    doorSeconds: [5, 10],
    doorRise: [0.15, 0.3],
    loadsPerDay: [1, 3],
    humidity: [60, 80],
  },
  walk_in_cooler: {
    ...FRIDGE,
    tempMin: 0,
    tempMax: 5,
    hysteresis: [1.1, 1.6],
    cycleMinutes: [12, 24],
    duty: [0.3, 0.45],
    massRatio: [8, 15],
    doorsPerHour: [4, 10],
    doorSeconds: [20, 45],
    doorRise: [0.2, 0.4],
    loadsPerDay: [1, 2],
    loadRise: [0.2, 0.6],
    defrostsPerDay: [2, 4],
    defrostMinutes: [20, 30],
    defrostRise: [2, 4],
    humidity: [75, 90],
  },
  walk_in_freezer: {
    ...FRIDGE,
    tempMin: -28,
    tempMax: -15,
    hysteresis: [1.8, 2.8],
    cycleMinutes: [15, 30],
    duty: [0.35, 0.5],
    massRatio: [6, 12],
    doorsPerHour: [2, 6],
    doorSeconds: [20, 40],
    loadsPerDay: [0.5, 1.5],
    loadRise: [0.2, 0.6],
    defrostsPerDay: [2, 4],
    defrostMinutes: [20, 30],
    defrostRise: [4, 7],
    humidity: [60, 80],
  },
  blast_chiller: {
    ...FRIDGE,
    tempMin: -3,
    tempMax: 3,
    cycleMinutes: [7, 12],
    duty: [0.2, 0.3],
    massRatio: [2, 3],
    coupling: 1.5,
    doorsPerHour: [1, 3],
    doorSeconds: [10, 25],
    loadsPerDay: [2, 3],
    loadRise: [5, 9],
    humidity: [50, 70],
  },
}

/** The profile of a unit_type; one that is not known behaves as a fridge. */
export function profileOf(unitType: string): UnitProfile {
  return Object.hasOwn(PROFILES, unitType) ? (PROFILES[unitType] ?? FRIDGE) : FRIDGE
}
