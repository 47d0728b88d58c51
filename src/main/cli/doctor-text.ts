/** The doctor's report as text. */
import type { DoctorReport, Driver, TriedProvider } from '../../contract/doctor.ts'
import { aligned } from './aligned.ts'
import { formatBytes } from './bytes.ts'

const states: Record<TriedProvider['state'], string> = {
  works: 'works',
  fails: 'does not work',
  crashed: 'crashed',
  silent: 'hung',
  absent: 'not in this build'
}

/** A rate to two digits: it is a hint. */
export function rateText(gigaflops: number): string {
  return `${Number(gigaflops.toPrecision(2))} GFLOP/s`
}

function providerLine({ provider, state, float16, gigaflops, reason, remedy }: TriedProvider): string[] {
  const rate = gigaflops === null ? '' : rateText(gigaflops)
  const note =
    state === 'works' ? `${float16 ? 'float32, float16' : 'float32'}` : `${reason ?? ''}${remedy === null ? '' : `; to fix it: ${remedy}`}`
  return [provider, states[state], rate, note]
}

/** Those that are there, and the missing ones, by the provider that needs them. */
function driverLines(drivers: readonly Driver[]): string[] {
  const needing = [...new Set(drivers.map(({ neededBy }) => neededBy))]
  return needing.map(provider => {
    const its = drivers.filter(({ neededBy }) => neededBy === provider)
    const there = its.flatMap(({ name, where }) => (where === null ? [] : [`${name} (${where})`]))
    const missing = its.flatMap(({ name, where }) => (where === null ? [name] : []))
    const parts = [...there, ...(missing.length === 0 ? [] : [`missing: ${missing.join(', ')}`])]
    return `${provider}: ${parts.join(', ')}`
  })
}

/** The report for a person. */
export function doctorText(report: DoctorReport): string {
  const { memory, home, devices, processor } = report
  const limit = memory.limitBytes === null ? '' : `, at most ${formatBytes(memory.limitBytes)} for this process`
  const free = home.freeBytes === null ? '' : `, ${formatBytes(home.freeBytes)} free`
  const device = devices.map(({ name, driver, memoryBytes }) =>
    [name, driver, memoryBytes === null ? null : formatBytes(memoryBytes)].filter(part => part !== null).join(', ')
  )
  const facts = [
    ['Splice', `${report.version}, Node ${report.node}, ONNX Runtime ${report.onnxRuntime}`],
    ['system', `${report.platform}, ${report.architecture}`],
    ['processor', `${processor.model}, ${processor.count} ${processor.count === 1 ? 'thread' : 'threads'}`],
    ['memory', `${formatBytes(memory.totalBytes)}, ${formatBytes(memory.availableBytes)} available${limit}`],
    ['home', `${home.path}, ${home.writable ? 'writable' : 'NOT writable'}${free}`],
    ['devices', device.length === 0 ? 'no graphics device is listed' : device.join('; ')],
    ...driverLines(report.drivers).map((line, place) => [place === 0 ? 'drivers' : '', line])
  ]
  const providers = report.providers.map(providerLine)
  const ailments = report.ailments.map(({ message, remedy }) => `- ${message}${remedy === null ? '' : `. To fix it: ${remedy}`}`)
  return `${[
    aligned(facts, new Set([0, 1])),
    `Providers, each tried in a process of its own:\n${aligned(providers, new Set([0, 1, 3]))}`,
    ailments.length === 0 ? 'Splice can work here.' : `What keeps Splice from working here:\n${ailments.join('\n')}`
  ].join('\n\n')}\n`
}
