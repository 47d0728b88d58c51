/** `splice doctor`, and what commands say where a provider or a precision is not to be had. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { doctorReport } from '../../src/contract/doctor.ts'
import { runResult } from '../../src/contract/run.ts'
import { writeCrashingDriver } from '../../src/main/doctor/crashing-driver-fixture.ts'
import { howToGetSoftwareGpu, softwareGpu } from '../../src/main/doctor/software-gpu-fixture.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'

const home = temporaryFolder()
const noDriver = { VK_DRIVER_FILES: join(home, 'no-driver.json') }
if (softwareGpu === null) console.log(howToGetSoftwareGpu)

describe('splice doctor', () => {
  test('says what there is to compute with, and what each provider is missing', async () => {
    const outcome = await splice(['doctor'], { home, env: noDriver })
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    const lines = outcome.stdout.split('\n')
    const line = (start: string) => lines.find(text => text.startsWith(start)) ?? ''
    expect(line('Splice ')).toMatch(/Node 26\.\d+\.\d+, ONNX Runtime 1\.\d+\.\d+$/)
    expect(line('memory')).toMatch(/[\d.]+ GB, [\d.]+ [MG]B available/)
    expect(line('home')).toContain(`${home}, writable`)
    expect(line('cpu')).toMatch(/^cpu +works +[\d.]+ GFLOP\/s +float32$/)
    expect(line('webgpu ')).toMatch(/^webgpu +does not work .*(Vulkan|graphics)/)
    expect(lines).toContain('Splice can work here.')
  })

  test.skipIf(softwareGpu === null)('as JSON: a driver that crashes is a line of the report', async () => {
    const driver = writeCrashingDriver(join(home, 'driver')) ?? ''
    const outcome = await splice(['doctor', '--json'], { home, env: { VK_DRIVER_FILES: driver } })
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    const report = doctorReport.parse(JSON.parse(outcome.stdout))
    expect(report.providers.find(({ provider }) => provider === 'webgpu')).toEqual({
      provider: 'webgpu',
      state: 'crashed',
      reason: 'its process ended (SIGILL)',
      float16: false,
      gigaflops: null,
      remedy: 'Update the graphics driver, or stay with another provider.'
    })
    expect(report.drivers).toContainEqual({ name: 'a Vulkan driver', neededBy: 'webgpu', where: driver })
  })

  test('fails where the home cannot be written to, and says what to do', async () => {
    const file = join(home, 'a-file')
    writeFileSync(file, '')
    const outcome = await splice(['doctor'], { home: join(file, 'home'), env: noDriver })
    expect(outcome).toMatchObject({ code: 1, stderr: '' })
    expect(outcome.stdout).toContain('NOT writable')
    expect(outcome.stdout).toMatch(/- the home .* cannot be written to\. To fix it: .*SPLICE_HOME/)
  })
})

describe('splice run', () => {
  const run = ['run', '--model', demo.model, '--prompt', 'Once upon a time', '--no-history']

  test('runs on the CPU where a provider does not start, and says why on stderr in one line', async () => {
    const outcome = await splice([...run, '--provider', 'webgpu'], { home, env: noDriver })
    expect(outcome.code).toBe(0)
    expect(outcome.stderr).toMatch(/^splice: webgpu could not run this, so the CPU does: .*(adapter|Vulkan).*\n$/)
    expect(outcome.stdout).toMatch(/^cpu {2}load/m)
  })

  test('refuses float16 on the CPU by its option', async () => {
    const outcome = await splice([...run, '--precision', 'fp16'], { home, env: noDriver })
    expect(outcome).toMatchObject({ code: 2, stdout: '' })
    expect(outcome.stderr).toMatch(/^splice: --precision: the CPU computes in float32: float16 would be no faster there.*\n$/)
  })

  test.skipIf(softwareGpu === null)('runs on a GPU, and says so', async () => {
    const env = { VK_DRIVER_FILES: softwareGpu ?? '' }
    const outcome = await splice([...run, '--provider', 'webgpu', '--json'], { home, env })
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    const result = runResult.parse(JSON.parse(outcome.stdout))
    expect([result.provider, result.variants[0]?.topK.at(-1)?.[0]?.text]).toEqual(['webgpu', ' there'])
  })
})
