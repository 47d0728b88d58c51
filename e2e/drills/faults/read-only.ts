/** The home's disk is read-only: the host does not start and says which file; the command line says so too; once writable, all is there. */
import path from 'node:path'
import { demo, splice } from '../../splice-command.ts'
import { type Drill, must, needsRoot } from '../drill.ts'
import { Host } from '../host.ts'
import { mountSmallDisk } from '../small-disk.ts'
import { prompt, Standing } from '../standing.ts'

export const readOnly: Drill = {
  name: 'read-only',
  fault: "The home's folder read-only (a tmpfs): the host and the command line, and a file to save",
  times: 6,
  quick: 0,
  unable: needsRoot,
  async open({ folder }) {
    const disk = mountSmallDisk(path.join(folder, 'disk'), 64)
    const home = path.join(disk.folder, 'home')
    const standing = await Standing.start(home)
    return {
      async attempt() {
        await standing.close()
        disk.setReadOnly(true)
        const refusal = await Host.start(home).then(
          host => host.close().then(() => null),
          (thrown: unknown) => String(thrown)
        )
        must(
          refusal === null || /ended with [12]: splice: .*(mirror\.sqlite|home)/.test(refusal),
          `the host on a read-only home: ${refusal}`
        )
        const searched = await splice(['search', 'time'], { home })
        must(
          searched.code === 0 || (searched.code === 2 && /^splice: .*mirror\.sqlite.*\n$/.test(searched.stderr)),
          `search on a read-only home: ${searched.code} ${searched.stderr}`
        )
        const args = ['run', '--model', demo.model, '--prompt', prompt, '--save', path.join(disk.folder, 'out.safetensors'), '--no-history']
        const saved = await splice([...args, '--db', path.join(folder, 'other.sqlite')], { home: path.join(folder, 'other') })
        must(
          saved.code === 2 && saved.stdout === '' && /^splice: .*out\.safetensors.*\n$/.test(saved.stderr),
          `--save: ${saved.code} ${saved.stderr}`
        )
        disk.setReadOnly(false)
        standing.host = await Host.start(home)
        await standing.goesOn()
      },
      async close() {
        await standing.close()
        disk.unmount()
      }
    }
  }
}
