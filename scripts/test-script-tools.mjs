/** What the examples of docs/http-api.md are run with: curl, and a Python that has requests. */
import { spawnSync } from 'node:child_process'
import { installOnDebian } from './debian-packages.mjs'

const works = (program, args) => spawnSync(program, args, { stdio: 'ignore' }).status === 0
const hasCurl = () => works('curl', ['--version'])
/** Debian's own python3 may stand behind another one. */
const findPython = () => ['python3', '/usr/bin/python3'].find(python => works(python, ['-c', 'import requests'])) ?? ''

/**
 * Environment variables for the tests: SPLICE_CURL and SPLICE_PYTHON, empty where there is none and it cannot be installed; their
 * examples are skipped then, and a line says so.
 */
export function findScriptTools() {
  const missing = [...(hasCurl() ? [] : ['curl']), ...(findPython() === '' ? ['python3-requests'] : [])]
  if (missing.length > 0) installOnDebian('cli', missing)
  const tools = { SPLICE_CURL: hasCurl() ? 'curl' : '', SPLICE_PYTHON: findPython() }
  if (tools.SPLICE_CURL === '') console.log('cli: without curl the examples for it are skipped')
  if (tools.SPLICE_PYTHON === '') console.log('cli: without a Python that has requests the examples for it are skipped')
  return tools
}
