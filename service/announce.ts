const STARTED_NAMES: Record<string, string> = {
  database: 'Database (psql)',
  mqtt: 'MQTT',
  tls: 'MQTT over TLS',
  webSocket: 'MQTT over WebSocket',
  console: 'Status page',
}
const NAME_WIDTH = 22

/** Where a service that has started listens, a line for each address; the database's is one that psql accepts. */
export function announcement(addresses: Readonly<Record<string, string>>): string {
  return Object.entries(addresses)
    .map(([name, address]) => `${`${STARTED_NAMES[name] ?? name}:`.padEnd(NAME_WIDTH)} ${address}`)
    .join('\n')
}
