/** Graphics devices, as the system lists them. That a device is listed does not say that a provider can use it. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { GraphicsDevice } from '../../contract/doctor.ts'
import { outputOf } from './program-output.ts'

const vendors: Readonly<Record<string, GraphicsDevice['vendor']>> = {
  '0x10de': 'nvidia',
  '0x1002': 'amd',
  '0x8086': 'intel',
  '0x106b': 'apple'
}

function vendorOf(name: string): GraphicsDevice['vendor'] {
  const found = (['nvidia', 'amd', 'intel', 'apple'] as const).find(vendor => name.toLowerCase().includes(vendor))
  return found ?? (/radeon/i.test(name) ? 'amd' : 'other')
}

/** Lines `name, driver, MiB` of nvidia-smi. */
export function nvidiaDevices(listing: string): GraphicsDevice[] {
  return listing.split('\n').flatMap((line): GraphicsDevice[] => {
    const [name = '', driver = '', mebibytes = ''] = line.split(',').map(part => part.trim())
    if (name === '' || driver === '') return []
    const bytes = Number(mebibytes) * 2 ** 20
    return [{ name, vendor: 'nvidia', driver: `NVIDIA ${driver}`, memoryBytes: Number.isFinite(bytes) && bytes > 0 ? bytes : null }]
  })
}

/** Linux: cards by their PCI ids, and NVIDIA's by nvidia-smi, which knows more of them. */
async function linuxDevices(): Promise<GraphicsDevice[]> {
  const listing = await outputOf('nvidia-smi', ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader,nounits'])
  const nvidia = nvidiaDevices(listing ?? '')
  const root = '/sys/class/drm'
  const cards = (await fs.readdir(root).catch((): string[] => [])).filter(name => /^card\d+$/.test(name))
  const others = await Promise.all(
    cards.map(async (card): Promise<GraphicsDevice | null> => {
      const read = (file: string) =>
        fs.readFile(path.join(root, card, 'device', file), 'utf8').then(
          text => text.trim(),
          () => ''
        )
      const [id, device, bytes] = await Promise.all([read('vendor'), read('device'), read('mem_info_vram_total')])
      const driver = await fs.readlink(path.join(root, card, 'device', 'driver')).then(
        link => path.basename(link),
        () => null
      )
      if (id === '') return null
      const vendor = vendors[id] ?? 'other'
      const name = `${vendor === 'other' ? `PCI ${id}` : vendor.toUpperCase()} ${device}`
      return { name, vendor, driver, memoryBytes: bytes === '' ? null : Number(bytes) }
    })
  )
  return [...nvidia, ...others.filter(card => card !== null).filter(({ vendor }) => !(vendor === 'nvidia' && nvidia.length > 0))]
}

const displays = z.object({
  SPDisplaysDataType: z.array(z.object({ sppci_model: z.string(), spdisplays_vram: z.string().optional() }))
})

/** What macOS's system_profiler says of displays, as JSON. */
export function appleDevices(json: string): GraphicsDevice[] {
  const parsed = displays.safeParse(parseJson(json))
  if (!parsed.success) return []
  return parsed.data.SPDisplaysDataType.map(({ sppci_model: name }) => ({ name, vendor: vendorOf(name), driver: null, memoryBytes: null }))
}

const controller = z.object({ Name: z.string(), DriverVersion: z.string().nullish() })

/** What Windows' Win32_VideoController says, as JSON: one object, or a list of them. */
export function windowsDevices(json: string): GraphicsDevice[] {
  const parsed = z.union([z.array(controller), controller.transform(one => [one])]).safeParse(parseJson(json))
  if (!parsed.success) return []
  return parsed.data.map(({ Name: name, DriverVersion: version }) => ({
    name,
    vendor: vendorOf(name),
    driver: version ?? null,
    memoryBytes: null
  }))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What is no JSON lists no device.
    return null
  }
}

/** The graphics devices of this machine; none where the system does not say. */
export async function graphicsDevices(platform: NodeJS.Platform = process.platform): Promise<GraphicsDevice[]> {
  if (platform === 'linux') return linuxDevices()
  if (platform === 'darwin') return appleDevices((await outputOf('system_profiler', ['SPDisplaysDataType', '-json'])) ?? '')
  if (platform !== 'win32') return []
  const query = 'Get-CimInstance Win32_VideoController | Select-Object Name, DriverVersion | ConvertTo-Json'
  return windowsDevices((await outputOf('powershell', ['-NoProfile', '-Command', query])) ?? '')
}
