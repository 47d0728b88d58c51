/** Preloaded into processes of ours: writes into the file SPLICE_NETWORK_LOG whom they look up, connect to, or send to, a line each. */
import dgram from 'node:dgram'
import dns from 'node:dns'
import fs from 'node:fs'
import net from 'node:net'

const file = process.env.SPLICE_NETWORK_LOG
const write = (what, whom) => fs.appendFileSync(file, `${what} ${whom}\n`)

const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  const [first, second] = Array.isArray(args[0]) ? args[0] : args
  const options =
    typeof first === 'object' && first !== null ? first : { port: first, host: typeof second === 'string' ? second : 'localhost' }
  write('connect', options.path ?? options.host ?? 'localhost')
  return connect.apply(this, args)
}
for (const name of Object.keys(dns).filter(key => /^(lookup|resolve|reverse)/.test(key))) {
  for (const owner of [dns, dns.promises]) {
    const original = owner[name]
    if (typeof original !== 'function') continue
    owner[name] = function (...args) {
      write(name, args[0])
      return original.apply(this, args)
    }
  }
}
for (const name of ['send', 'connect']) {
  const original = dgram.Socket.prototype[name]
  dgram.Socket.prototype[name] = function (...args) {
    write(`datagram ${name}`, args.find(arg => typeof arg === 'string') ?? 'somewhere')
    return original.apply(this, args)
  }
}
write('watched', process.pid)
