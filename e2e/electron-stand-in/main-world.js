/**
 * The page's half of contextBridge: makes what the preload exposes out of calls that cross as events. Values are copied on the way; no
 * object of one world is seen in the other.
 */
;(() => {
  if (window !== window.top || location.href === 'about:blank') return
  const functions = []
  const pending = new Map()
  let lastCall = 0

  const toCross = value => (typeof value === 'function' ? { $function: functions.push(value) - 1 } : value)

  window.addEventListener('stand-in:call-back', ({ detail: { index, args } }) => functions[index](...args))
  window.addEventListener('stand-in:settle', ({ detail: { call, error, value } }) => {
    const { resolve, reject } = pending.get(call)
    pending.delete(call)
    if (error === undefined) resolve(value)
    else reject(new Error(error))
  })

  function call(path, args) {
    lastCall += 1
    const number = lastCall
    let answer = null
    const hear = ({ detail }) => {
      if (detail.call === number) answer = detail
    }
    window.addEventListener('stand-in:return', hear)
    window.dispatchEvent(new CustomEvent('stand-in:call', { detail: { call: number, path, args: args.map(toCross) } }))
    window.removeEventListener('stand-in:return', hear)
    if (answer === null) throw new Error(`${path.join('.')} did not answer`)
    if (answer.error !== undefined) throw new Error(answer.error)
    if (answer.isPromise) return new Promise((resolve, reject) => pending.set(number, { resolve, reject }))
    return answer.function === undefined ? answer.value : (...more) => call([answer.function], more)
  }

  function build(shape, path) {
    if (shape.kind === 'function') return (...args) => call(path, args)
    if (shape.kind === 'value') return shape.value
    return Object.freeze(Object.fromEntries(Object.entries(shape.entries).map(([name, inner]) => [name, build(inner, [...path, name])])))
  }

  window.addEventListener('stand-in:expose', ({ detail: { name, shape } }) => {
    Object.defineProperty(window, name, { value: build(shape, [name]), enumerable: true })
  })
})()
