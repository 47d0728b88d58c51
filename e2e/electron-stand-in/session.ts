/** Electron's session: what its handlers allow is granted to pages in Chromium; without handlers that is everything, as in Electron. */

type RequestHandler = (
  contents: object | null,
  permission: string,
  reply: (isGranted: boolean) => void,
  details: { requestingUrl: string; isMainFrame: boolean }
) => void
type CheckHandler = (
  contents: object | null,
  permission: string,
  origin: string,
  details: { requestingUrl: string; isMainFrame: boolean }
) => boolean

let requestHandler: RequestHandler | null = null
let checkHandler: CheckHandler | null = null

export const session = {
  defaultSession: {
    setPermissionRequestHandler(handler: RequestHandler): void {
      requestHandler = handler
    },
    setPermissionCheckHandler(handler: CheckHandler): void {
      checkHandler = handler
    },
    setDevicePermissionHandler(handler: () => boolean): void {
      if (handler() !== false) throw new Error('a device was permitted')
    }
  }
}

/** Chromium's names of permissions that can be granted here, by Electron's. */
const permissions: Readonly<Record<string, string[]>> = {
  'clipboard-sanitized-write': ['clipboard-write'],
  'clipboard-read': ['clipboard-read'],
  geolocation: ['geolocation'],
  notifications: ['notifications'],
  midi: ['midi'],
  media: ['camera', 'microphone'],
  'local-fonts': ['local-fonts']
}

/** What the top frame of a page at a URL may do. */
export function grantsFor(requestingUrl: string): string[] {
  const details = { requestingUrl, isMainFrame: true }
  return Object.entries(permissions)
    .filter(([permission]) => {
      const isAllowed = checkHandler?.(null, permission, new URL(requestingUrl).origin, details) ?? true
      let isGranted = requestHandler === null
      const reply = (granted: boolean) => {
        isGranted = granted
      }
      requestHandler?.(null, permission, reply, details)
      return isAllowed && isGranted
    })
    .flatMap(([, names]) => names)
}
