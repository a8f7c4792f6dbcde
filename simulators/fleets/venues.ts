/** A unit as it is usual in a kind of place; °C. */
export interface UnitTemplate {
  area: string
  name: string
  unit_type: string
  temp_min: number
  temp_max: number
  /** The alert rules that are usual for it. */
  preset?: string
}

export interface Venue {
  /** Site names begin with one of these. */
  names: readonly string[]
  /** How much of a fleet is of this kind. */
  weight: number
  hubsPerSite: readonly [min: number, max: number]
  /** In the order in which a place gets them; then from the start again. */
  units: readonly UnitTemplate[]
}

export const VENUES: readonly Venue[] = [
  {
    names: ['Bistro', 'Trattoria', 'Brasserie', 'Grill', 'Canteen'],
    weight: 5,
    hubsPerSite: [1, 2],
    units: [
      { area: 'Kitchen', name: 'Prep fridge', unit_type: 'fridge', temp_min: 0, temp_max: 5 },
      {
        area: 'Kitchen',
        name: 'Walk-in cooler',
        unit_type: 'walk_in_cooler',
        temp_min: 0,
        temp_max: 5,
        preset: 'walk-in-cooler',
      },
      {
        area: 'Storage',
        name: 'Chest freezer',
        unit_type: 'freezer',
        temp_min: -26,
        temp_max: -15,
        preset: 'frozen',
      },
      {
        area: 'Kitchen',
        name: 'Blast chiller',
        unit_type: 'blast_chiller',
        temp_min: -4,
        temp_max: 3,
        preset: 'blast-chiller',
      },
      {
        area: 'Counter',
        name: 'Display case',
        unit_type: 'display_case',
        temp_min: 0,
        temp_max: 7,
        preset: 'display-case',
      },
      { area: 'Counter', name: 'Drinks fridge', unit_type: 'fridge', temp_min: 1, temp_max: 8 },
    ],
  },
  {
    names: ['Pharmacy', 'Clinic', 'Vaccination centre'],
    weight: 3,
    hubsPerSite: [1, 1],
    units: [
      {
        area: 'Dispensary',
        name: 'Vaccine fridge',
        unit_type: 'fridge',
        temp_min: 2,
        temp_max: 8,
        preset: 'cdc-vaccine-fridge',
      },
      { area: 'Dispensary', name: 'Insulin fridge', unit_type: 'fridge', temp_min: 2, temp_max: 8 },
      {
        area: 'Store',
        name: 'Vaccine freezer',
        unit_type: 'freezer',
        temp_min: -50,
        temp_max: -15,
        preset: 'cdc-vaccine-freezer',
      },
      { area: 'Store', name: 'Reserve fridge', unit_type: 'fridge', temp_min: 2, temp_max: 8 },
    ],
  },
  {
    names: ['Cold store', 'Wholesale market', 'Distribution centre'],
    weight: 2,
    hubsPerSite: [2, 4],
    units: [
      { area: 'Hall A', name: 'Dairy room', unit_type: 'walk_in_cooler', temp_min: 0, temp_max: 5 },
      { area: 'Hall B', name: 'Frozen room', unit_type: 'walk_in_freezer', temp_min: -30, temp_max: -15 },
      { area: 'Hall A', name: 'Fish room', unit_type: 'walk_in_cooler', temp_min: -1, temp_max: 2 },
      { area: 'Dock', name: 'Sample fridge', unit_type: 'fridge', temp_min: 0, temp_max: 6 },
    ],
  },
]

/** Where sites stand. */
export const CITIES = [
  { city: 'Berlin', country: 'DE', timezone: 'Europe/Berlin', latitude: 52.52, longitude: 13.41 },
  { city: 'Hamburg', country: 'DE', timezone: 'Europe/Berlin', latitude: 53.55, longitude: 9.99 },
  { city: 'Lisboa', country: 'PT', timezone: 'Europe/Lisbon', latitude: 38.72, longitude: -9.14 },
  { city: 'Lyon', country: 'FR', timezone: 'Europe/Paris', latitude: 45.76, longitude: 4.84 },
  { city: 'Milano', country: 'IT', timezone: 'Europe/Rome', latitude: 45.46, longitude: 9.19 },
  { city: 'Gdańsk', country: 'PL', timezone: 'Europe/Warsaw', latitude: 54.35, longitude: 18.65 },
  { city: 'Sevilla', country: 'ES', timezone: 'Europe/Madrid', latitude: 37.39, longitude: -5.98 },
  { city: 'Dublin', country: 'IE', timezone: 'Europe/Dublin', latitude: 53.35, longitude: -6.26 },
] as const
