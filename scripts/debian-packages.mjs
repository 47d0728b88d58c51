/** Debian's packages that tests need. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Installs packages where we are root on Debian; whether that went well. `suite` is named in the line that says so. */
export function installOnDebian(suite, packages) {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return false
  console.log(`${suite}: installing ${packages.join(' ')} with apt-get`)
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  for (const args of [
    ['update', '-q'],
    ['install', '-y', '-q', '--no-install-recommends', ...packages]
  ]) {
    if (spawnSync('apt-get', args, { stdio: 'inherit', env: environment }).status !== 0) return false
  }
  return true
}
