/** The principal forms with clients that others have written: Mosquitto's and Python's paho. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { type ProgramResult, publish, runProgram } from './testing/clients.ts'
import { NORTH_HUB, northDevice, SELF_DEVICE, SOUTH_HUB } from './testing/fleet.ts'
import { hasPaho, hasProgram, PYTHON } from './testing/programs.ts'
import { doorEventsOf, readingsOf, rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const READINGS = `v1/hubs/${NORTH_HUB}/readings`
const DOORS = `v1/hubs/${NORTH_HUB}/doors`
const STATUS = `v1/hubs/${NORTH_HUB}/status`

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterEach(closeAll)
afterAll(() => service.close())

const mosquitto = hasProgram('mosquitto_pub')
describe.skipIf(!mosquitto)(
  `mosquitto_pub and mosquitto_sub${mosquitto ? '' : ' (skipped: not installed)'}`,
  () => {
    function as(username: string, secret = service.secretOf(username)): string[] {
      return ['-h', '127.0.0.1', '-p', String(service.mqttPort), '-u', username, '-P', secret]
    }
    /** It ends when the PUBACK or PUBCOMP has come. */
    function pub(topic: string, payload: unknown, ...args: string[]): Promise<ProgramResult> {
      const message = JSON.stringify(payload)
      return runProgram('mosquitto_pub', [...as(NORTH_HUB), '-q', '1', '-t', topic, '-m', message, ...args])
    }

    test.each(['mqttv31', 'mqttv311'])('-V %s: a readings message', async (version) => {
      const before = (await readingsOf(service, northDevice(0))).length
      const readings = [1, 2].map((temperature) => ({ device: northDevice(0), at: nextTime(), temperature }))
      expect(await pub(READINGS, { readings }, '-V', version)).toMatchObject({ code: 0, stderr: '' })
      expect(await readingsOf(service, northDevice(0))).toHaveLength(before + 2)
    })

    test('-q 2', async () => {
      const reading = { device: northDevice(1), at: nextTime(), temperature: 1 }
      expect(await pub(READINGS, reading, '-q', '2')).toMatchObject({ code: 0 })
      expect(await readingsOf(service, northDevice(1))).toHaveLength(1)
    })

    test('-l: one message a line, in order', async () => {
      const readings = Array.from({ length: 50 }, (_, temperature) => ({
        device: northDevice(2),
        at: nextTime(),
        temperature,
      }))
      const input = readings.map((reading) => `${JSON.stringify(reading)}\n`).join('')
      const args = [...as(NORTH_HUB), '-q', '1', '-t', READINGS, '-l']
      expect(await runProgram('mosquitto_pub', args, { input })).toMatchObject({ code: 0, stderr: '' })
      expect((await readingsOf(service, northDevice(2))).map((row) => row.temperature)).toEqual(
        readings.map((reading) => reading.temperature),
      )
    })

    test('a doors message', async () => {
      const at = nextTime()
      const events = [
        { device: northDevice(3), at, state: 'open' },
        { device: northDevice(3), at: at + 5_000, state: 'closed' },
      ]
      expect(await pub(DOORS, { events })).toMatchObject({ code: 0 })
      expect((await doorEventsOf(service, northDevice(3))).map((row) => row.durationSeconds)).toEqual([
        null,
        5,
      ])
    })

    test('a device itself', async () => {
      const args = [...as(`device:${SELF_DEVICE}`), '-q', '1', '-t', `v1/devices/${SELF_DEVICE}/readings`]
      const result = await runProgram('mosquitto_pub', [...args, '-m', '{"temperature":-18.5}'])
      expect(result).toMatchObject({ code: 0 })
      expect(await readingsOf(service, SELF_DEVICE)).toMatchObject([
        { temperature: -18.5, source: 'arrival' },
      ])
    })

    test('mosquitto_sub gets the retained receipt and a reject', async () => {
      const message = { boot: 'm', seq: 3, readings: [{ device: northDevice(4), temperature: 1 }] }
      await pub(READINGS, message)
      const args = ['-v', '-q', '1', '-t', `v1/hubs/${NORTH_HUB}/#`, '-i', 'listener', '-c', '-C', '2']
      const subscribed = runProgram('mosquitto_sub', [...as(NORTH_HUB), ...args])
      // Its session is kept, so what comes before it has subscribed a first time is the only thing it could miss.
      let over = false
      void subscribed.then(() => {
        over = true
      })
      await until('it has received two messages', async () => {
        if (!over) await publish(await service.connect(NORTH_HUB), READINGS, 'not JSON')
        return over
      })
      const { code, stdout } = await subscribed
      expect(code).toBe(0)
      expect(stdout).toMatch(new RegExp(`^v1/hubs/${NORTH_HUB}/(receipt|rejected) [{[]`))
    })

    test.each([
      ['a wrong secret', () => as(NORTH_HUB, 'wrong'), [], 4],
      ['no username', () => as(NORTH_HUB).slice(0, 4), [], 5],
      ['MQTT 5', () => as(NORTH_HUB), ['-V', 'mqttv5'], undefined],
    ])('%s is refused', async (_words, who, args, code) => {
      const result = await runProgram('mosquitto_pub', [
        ...who(),
        '-t',
        READINGS,
        '-m',
        'x',
        '-q',
        '1',
        ...args,
      ])
      expect(result.code).not.toBe(0)
      if (code !== undefined) expect(result.code).toBe(code)
    })
  },
)

const paho = hasPaho()
describe.skipIf(!paho)(`Python's paho${paho ? '' : ' (skipped: python3-paho-mqtt is not installed)'}`, () => {
  /** A script with a client `hub` that is connected as the north hub, and `publish`, which waits for the PUBACK. */
  function python(script: string): Promise<ProgramResult> {
    const program = `
import json, math, os, socket, sys, threading, time
import paho.mqtt.client as mqtt
client_id = 'paho'
hub = mqtt.Client(*([mqtt.CallbackAPIVersion.VERSION1] if hasattr(mqtt, 'CallbackAPIVersion') else []), client_id=client_id)
hub.username_pw_set('${NORTH_HUB}', os.environ['SECRET'])
heard = []
hub.on_message = lambda client, userdata, message: heard.append((message.topic, message.retain, json.loads(message.payload)))
def connect():
    connected = threading.Event()
    hub.on_connect = lambda client, userdata, flags, code: connected.set() if code == 0 else None
    hub.connect('127.0.0.1', ${service.mqttPort}, keepalive=30)
    hub.loop_start()
    assert connected.wait(30)
def publish(topic, payload, qos=1):
    info = hub.publish(topic, payload, qos)
    info.wait_for_publish(30)
    assert info.is_published()
def wait_for(condition):
    for _ in range(3000):
        if condition(): return
        time.sleep(0.01)
    raise Exception('did not happen')
${script}`
    const env = { PATH: process.env['PATH'], SECRET: service.secretOf(NORTH_HUB) }
    return runProgram(PYTHON, ['-c', program], { env })
  }

  test('a readings message with json.dumps: NaN rejects that reading, not the message', async () => {
    const [device, at] = [northDevice(10), nextTime()]
    const rejects = await rejectsOf(service, async () => {
      const result = await python(`
connect()
readings = [{'device': '${device}', 'at': ${at} + i, 'temperature': t} for i, t in enumerate([3.5, math.nan, -math.inf, 4])]
publish('${READINGS}', json.dumps({'boot': 'p', 'seq': 1, 'readings': readings}))
hub.disconnect()`)
      expect(result).toMatchObject({ code: 0, stderr: '' })
    })
    expect(rejects.map(({ reason, item }) => [reason, item])).toEqual([
      ['invalid', 1],
      ['invalid', 2],
    ])
    expect((await readingsOf(service, device)).map((row) => row.temperature)).toEqual([3.5, 4])
  })

  test('QoS 2, and times as Python writes them', async () => {
    const device = northDevice(11)
    const result = await python(`
from datetime import datetime, timezone
connect()
now = datetime.now(timezone.utc)
publish('${READINGS}', json.dumps([{'device': '${device}', 'at': now.isoformat(), 'humidity': 50},
    {'device': '${device}', 'at': now.timestamp() * 1000 - 60000, 'battery': 80}]), qos=2)
hub.disconnect()`)
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(await readingsOf(service, device)).toMatchObject([{ battery: 80 }, { humidity: 50 }])
  })

  test('it hears its rejects and its receipt, retained after a reconnect', async () => {
    const device = northDevice(12)
    const result = await python(`
connect()
hub.subscribe([('v1/hubs/${NORTH_HUB}/rejected', 1), ('v1/hubs/${NORTH_HUB}/receipt', 1)])
publish('${READINGS}', json.dumps({'boot': 'q', 'seq': 8, 'readings': [{'device': '${device}', 'temperature': 1}, 5]}))
wait_for(lambda: any(topic.endswith('receipt') and said.get('boot') == 'q' and said['seq'] == 8 for topic, _, said in heard))
rejected = [said for topic, _, said in heard if topic.endswith('rejected')]
assert [[item['reason'], item['seq']] for item in rejected[0]] == [['invalid', 8]], rejected
hub.disconnect(); hub.loop_stop(); heard.clear()
connect()
hub.subscribe('v1/hubs/${NORTH_HUB}/receipt', 1)
wait_for(lambda: any(retained and said['boot'] == 'q' for _, retained, said in heard))
hub.disconnect()`)
    expect(result).toMatchObject({ code: 0, stderr: '' })
  })

  test('its last will makes the hub offline when its connection breaks', async () => {
    const online = async () => {
      const [row] = await service.query<{ online: boolean }>(
        'SELECT is_online AS online FROM public.hubs WHERE key = $1',
        [NORTH_HUB],
      )
      return row?.online
    }
    const noHubs = async () => (await service.metric('frostguard_hubs_connected')) === 0
    await until('nobody else is connected', noHubs)
    const result = await python(`
hub.will_set('${STATUS}', json.dumps({'state': 'offline'}), qos=1)
connect()
publish('${STATUS}', json.dumps({'state': 'online', 'firmware': 'paho 1', 'queued': 0}))
os._exit(0)`)
    expect(result.code).toBe(0)
    await until('it is offline', async () => (await online()) === false)
  })

  test('a publish to a topic of another hub ends its connection', async () => {
    const result = await python(`
disconnected = threading.Event()
connect()
hub.on_disconnect = lambda *_: disconnected.set()
hub.publish('v1/hubs/${SOUTH_HUB}/readings', 'x', 1)
assert disconnected.wait(30)
os._exit(0)`)
    expect(result).toMatchObject({ code: 0, stderr: '' })
  })
})
