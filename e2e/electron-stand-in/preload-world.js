/**
 * Runs a preload in an isolated world of its own, as Electron does with contextIsolation and sandbox: the same document, other objects, and of
 * Node no more than `require('electron')`. `standInSend` leads to the process, `standInReceive` from it; PRELOAD
 * stands for the script as a function.
 */
;(() => {
  if (window !== window.top || location.href === 'about:blank') return
  const send = message => standInSend(JSON.stringify({ ...message, url: location.href }))

  function strict(name, value) {
    return new Proxy(value, {
      get(target, key) {
        if (typeof key === 'symbol' || key in target) return target[key]
        throw new Error(`a sandboxed preload has no ${name}.${key} in the stand-in for Electron`)
      }
    })
  }

  function encode(value) {
    if (value instanceof ArrayBuffer) return { $bytes: new Uint8Array(value).toBase64(), kind: 'ArrayBuffer' }
    if (ArrayBuffer.isView(value)) {
      return { $bytes: new Uint8Array(value.buffer, value.byteOffset, value.byteLength).toBase64(), kind: 'Uint8Array' }
    }
    if (Array.isArray(value)) return value.map(encode)
    if (typeof value === 'function') throw new Error('An object could not be cloned.')
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, encode(inner)]))
  }

  function decode(value) {
    if (Array.isArray(value)) return value.map(decode)
    if (typeof value !== 'object' || value === null) return value
    if ('$bytes' in value) {
      const bytes = Uint8Array.fromBase64(value.$bytes)
      return value.kind === 'ArrayBuffer' ? bytes.buffer : bytes
    }
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, decode(inner)]))
  }

  // ipcRenderer
  const listeners = new Map()
  const invocations = new Map()
  const ports = new Map()
  let lastInvocation = 0
  const ipcRenderer = strict('ipcRenderer', {
    send: (channel, ...args) => send({ kind: 'send', channel, args: encode(args) }),
    invoke: (channel, ...args) =>
      new Promise((resolve, reject) => {
        lastInvocation += 1
        invocations.set(lastInvocation, { resolve, reject })
        send({ kind: 'invoke', invocation: lastInvocation, channel, args: encode(args) })
      }),
    on: (channel, listener) => listeners.set(channel, [...(listeners.get(channel) ?? []), listener]),
    off: (channel, listener) =>
      listeners.set(
        channel,
        (listeners.get(channel) ?? []).filter(other => other !== listener)
      )
  })

  function openPort(id) {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = ({ data }) => send({ kind: 'port', port: id, data: encode(data) })
    port1.onclose = () => {
      ports.delete(id)
      send({ kind: 'port-closed', port: id })
    }
    ports.set(id, port1)
    return port2
  }

  const receivers = {
    message({ channel, args, ports: ids }) {
      const heard = listeners.get(channel) ?? []
      if (heard.length === 0) throw new Error(`the preload does not listen to the channel ${channel}`)
      const opened = ids.map(openPort)
      for (const listener of heard) listener({ ports: opened, sender: ipcRenderer, senderId: 0 }, ...decode(args))
    },
    answer({ invocation, error, value }) {
      const { resolve, reject } = invocations.get(invocation)
      invocations.delete(invocation)
      if (error === undefined) resolve(decode(value))
      else reject(new Error(error))
    },
    port: ({ port, data }) => ports.get(port)?.postMessage(decode(data)),
    'port-closed': ({ port }) => {
      ports.get(port)?.close()
      ports.delete(port)
    }
  }
  globalThis.standInReceive = text => {
    const message = JSON.parse(text)
    receivers[message.kind](message)
  }

  // contextBridge
  const exposed = new Map()
  const returned = []
  const tell = (name, detail) => window.dispatchEvent(new CustomEvent(name, { detail }))
  const fromCross = value =>
    typeof value === 'object' && value !== null && '$function' in value
      ? (...args) => tell('stand-in:call-back', { index: value.$function, args })
      : value

  function shapeOf(value) {
    if (typeof value === 'function') return { kind: 'function' }
    if (typeof value !== 'object' || value === null) return { kind: 'value', value }
    return { kind: 'object', entries: Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)])) }
  }

  const lookUp = path =>
    typeof path[0] === 'number' ? returned[path[0]] : path.slice(1).reduce((value, name) => value[name], exposed.get(path[0]))

  window.addEventListener('stand-in:call', ({ detail: { call, path, args } }) => {
    try {
      const value = lookUp(path)(...args.map(fromCross))
      if (value instanceof Promise) {
        tell('stand-in:return', { call, isPromise: true })
        value.then(
          settled => tell('stand-in:settle', { call, value: settled }),
          error => tell('stand-in:settle', { call, error: error.message })
        )
      } else if (typeof value === 'function') tell('stand-in:return', { call, function: returned.push(value) - 1 })
      else tell('stand-in:return', { call, value })
    } catch (error) {
      tell('stand-in:return', { call, error: error.message })
    }
  })

  const contextBridge = strict('contextBridge', {
    exposeInMainWorld(name, api) {
      exposed.set(name, api)
      tell('stand-in:expose', { name, shape: shapeOf(api) })
    }
  })
  const webFrame = strict('webFrame', {
    setZoomFactor(factor) {
      if (!(factor > 0)) throw new Error('a zoom factor is greater than 0')
      document.documentElement.style.zoom = String(factor)
    }
  })
  // A file that a script made lies nowhere.
  const webUtils = strict('webUtils', { getPathForFile: () => '' })
  const electron = strict('electron', { contextBridge, ipcRenderer, webFrame, webUtils })
  const require = name => {
    if (name === 'electron') return electron
    throw new Error(`module not found: ${name}`)
  }
  const process = strict('process', { versions: { electron: 'stand-in', chrome: /Chrome\/([\d.]+)/.exec(navigator.userAgent)?.[1] } })
  try {
    PRELOAD(require, process, {}, { exports: {} })
  } catch (error) {
    send({ kind: 'preload-error', error: error.message })
  }
})()
