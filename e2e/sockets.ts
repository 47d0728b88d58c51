/** The sockets of processes, as Linux lists them in /proc/net. */
import fs from 'node:fs'

export interface OpenSocket {
  readonly protocol: string
  readonly local: string
  readonly remote: string
}

/** An address of /proc/net, which has its 32-bit words in the machine's order, as hex in the order of the net. */
function inOrder(hex: string): string {
  return (hex.toLowerCase().match(/.{8}/g) ?? []).map(word => (word.match(/../g) ?? []).reverse().join('')).join('')
}

/** Whether an address is this machine's own loopback, or none at all. */
export function isLoopback(hex: string): boolean {
  return /^7f/.test(hex) || /^0+$/.test(hex) || /^0{31}1$/.test(hex) || /^0{20}ffff7f/.test(hex)
}

function socketsByInode(): Map<string, OpenSocket> {
  const found = new Map<string, OpenSocket>()
  for (const protocol of ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6']) {
    const lines = fs.existsSync(`/proc/net/${protocol}`) ? fs.readFileSync(`/proc/net/${protocol}`, 'utf8').split('\n').slice(1) : []
    for (const line of lines) {
      const [, local = '', remote = '', , , , , , , inode = ''] = line.trim().split(/\s+/)
      if (inode !== '' && inode !== '0')
        found.set(inode, { protocol, local: inOrder(local.split(':')[0] ?? ''), remote: inOrder(remote.split(':')[0] ?? '') })
    }
  }
  return found
}

/** The sockets that processes have open to others; those between processes of one machine that are no network's are left out. */
export function socketsOf(ids: readonly number[]): OpenSocket[] {
  const all = socketsByInode()
  return ids.flatMap(id => {
    let names: string[]
    try {
      names = fs.readdirSync(`/proc/${id}/fd`)
    } catch {
      return []
    }
    return names.flatMap(name => {
      try {
        const [, inode = ''] = /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/${id}/fd/${name}`)) ?? []
        const socket = all.get(inode)
        return socket === undefined ? [] : [socket]
      } catch {
        return []
      }
    })
  })
}

/** Sockets that reach beyond this machine, or could be reached from there: a local address of none listens on all. */
export function beyondLoopback(sockets: readonly OpenSocket[]): OpenSocket[] {
  return sockets.filter(({ local, remote }) => !isLoopback(remote) || !isLoopback(local) || /^0+$/.test(local))
}
