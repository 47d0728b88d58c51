/** `splice doctor`: what this machine has to compute with, each provider tried, and what is missing. Needs neither engine nor mirror. */
import { type Grammar, readArguments } from './arguments.ts'
import { doctorText } from './doctor-text.ts'
import { exitCode } from './exit.ts'
import type { Terminal } from './terminal.ts'

const grammar: Grammar = { command: 'doctor', flags: ['json'], values: [], lists: [], operand: null, operands: 'none' }

/** Runs the command. Its exit code is that of a failure where Splice cannot work here at all. */
export async function doctor(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const [{ doctorReport }, { homeFolder }] = await Promise.all([import('../doctor/report.ts'), import('../library/home.ts')])
  const report = await doctorReport(homeFolder(), what => terminal.progress(`trying ${what}`))
  await terminal.print(args.flags.has('json') ? `${JSON.stringify(report)}\n` : doctorText(report))
  return report.ailments.length === 0 ? exitCode.done : exitCode.failure
}
