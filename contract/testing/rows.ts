import type { TestService } from './service.ts'

export interface StoredReading {
  atMs: number
  receivedAtMs: number
  temperature: number | null
  humidity: number | null
  battery: number | null
  rssi: number | null
  snr: number | null
  fault: string | null
  source: string
  /** Name of the unit. */
  unit: string | null
}

export interface StoredDoorEvent {
  atMs: number
  state: string
  durationSeconds: number | null
  source: string
}

export interface StoredReject {
  reason: string
  detail: string
  device: string | null
  item: number | null
  topic: string
  client: string
  receivedAtMs: number
  payloadId: string
  payload: Buffer
  sizeBytes: number
  truncated: boolean
}

const milliseconds = (column: string) => `round(extract(epoch FROM ${column}) * 1000)::float8`

/** What is stored of a device now, by the time of measurement. */
export function readingsOf(service: TestService, devEui: string): Promise<StoredReading[]> {
  return service.query<StoredReading>(
    `SELECT ${milliseconds('r.recorded_at')} AS "atMs", ${milliseconds('r.received_at')} AS "receivedAtMs",
       r.temperature, r.humidity, r.battery, r.rssi, r.snr, r.fault, r.source, u.name AS unit
     FROM public.sensor_readings r
     JOIN public.devices d ON d.id = r.device_id LEFT JOIN public.units u ON u.id = r.unit_id
     WHERE d.device_eui = $1 ORDER BY r.recorded_at`,
    [devEui],
  )
}

/** The door events of a device now, by the time of the event. */
export function doorEventsOf(service: TestService, devEui: string): Promise<StoredDoorEvent[]> {
  return service.query<StoredDoorEvent>(
    `SELECT ${milliseconds('e.occurred_at')} AS "atMs", e.state, e.duration_seconds AS "durationSeconds", e.source
     FROM public.door_events e JOIN public.devices d ON d.id = e.device_id
     WHERE d.device_eui = $1 ORDER BY e.occurred_at, e.state DESC`,
    [devEui],
  )
}

/** The rejected items that an action has added, in the order in which they were kept. */
export async function rejectsOf(
  service: TestService,
  action: () => Promise<unknown>,
): Promise<StoredReject[]> {
  const [before] = await service.query<{ id: string }>(
    'SELECT coalesce(max(id), 0) AS id FROM pipeline.rejected_messages',
  )
  await action()
  return storedRejects(service, 'm.id > $1', [before?.id])
}

/** The rejected items for which a condition on `m` holds, in the order in which they were kept. */
export function storedRejects(
  service: TestService,
  condition: string,
  values: unknown[],
): Promise<StoredReject[]> {
  return service.query<StoredReject>(
    `SELECT m.reason, m.detail, m.device, m.item, m.topic, m.client, ${milliseconds('m.received_at')} AS "receivedAtMs",
       m.payload_id AS "payloadId", p.payload, p.size_bytes AS "sizeBytes", p.truncated
     FROM pipeline.rejected_messages m JOIN pipeline.rejected_payloads p ON p.id = m.payload_id
     WHERE ${condition} ORDER BY m.id`,
    values,
  )
}
