/** The example of docs/provisioning.md, as a fresh object that a test may change. */
export function exampleFleet() {
  return structuredClone(EXAMPLE)
}

const EXAMPLE = {
  organization: { slug: 'demo', name: 'Demo Foods', timezone: 'Europe/Berlin' },
  sites: [
    {
      name: 'Berlin Mitte',
      timezone: 'Europe/Berlin',
      hubs: [{ key: 'hub-berlin-1', name: 'Kitchen hub' }],
      areas: [
        {
          name: 'Kitchen',
          units: [
            {
              name: 'Walk-in cooler',
              unit_type: 'walk_in_cooler',
              temp_min: 0,
              temp_max: 5,
              devices: [
                {
                  device_eui: '24e124136b502f4a',
                  hub: 'hub-berlin-1',
                  device_type: 'temperature',
                  reporting_interval_seconds: 300,
                },
              ],
            },
          ],
        },
      ],
    },
  ],
  network_servers: [{ key: 'chirpstack-1' }],
  contacts: [{ name: 'On call', email: 'oncall@example.com', level: 1 }],
  alert_rules: [
    {
      name: 'Cooler too warm',
      scope: { site: 'Berlin Mitte', unit: 'Walk-in cooler' },
      condition: { type: 'temperature_above', limit: 5, for_seconds: 600, hysteresis: 0.5 },
      severity: 'critical',
    },
  ],
}

/** A copy with values put at paths such as `sites[0].name`; `undefined` removes the field. */
export function changed(fleet: unknown, changes: Record<string, unknown>): unknown {
  const copy = structuredClone(fleet)
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split(/[.[\]]+/).filter((key) => key !== '')
    const last = keys.pop() ?? ''
    const parent = keys.reduce<Record<string, unknown>>(
      (object, key) => object[key] as Record<string, unknown>,
      copy as Record<string, unknown>,
    )
    if (value === undefined) delete parent[last]
    else parent[last] = value
  }
  return copy
}
