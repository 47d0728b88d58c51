/** Electron's menus, and the dialogs and other things of the system, which do nothing until a test says what. */
import { checkOptions, choicesOf } from './strict.ts'

interface Template {
  id?: string
  label?: string
  role?: string
  type?: string
  accelerator?: string
  submenu?: Template[]
  click?: (...args: unknown[]) => void
}

const accelerator = /^((CommandOrControl|Alt|Shift)\+)*([A-Z0-9]|F\d+|Plus|Left|Right|Up|Down|Enter|[-=,.[\]/])$/

class MenuItem {
  readonly id: string | undefined
  readonly label: string
  readonly role: string | undefined
  readonly type: string
  readonly submenu: Menu | null
  readonly click: (...args: unknown[]) => void
  enabled = true
  checked = false

  constructor(template: Template) {
    checkOptions(template, 'MenuItemConstructorOptions')
    const { id, label, role, type, submenu, click } = template
    if (role !== undefined && !choicesOf('MenuItemConstructorOptions', 'role').has(role)) throw new Error(`no menu has the role ${role}`)
    if (type === undefined && label === undefined && role === undefined) throw new Error('a menu item has a label, a role or a type')
    if (template.accelerator !== undefined && !accelerator.test(template.accelerator)) {
      throw new Error(`${template.accelerator} is no accelerator`)
    }
    this.id = id
    this.label = label ?? ''
    this.role = role
    this.type = type ?? (submenu === undefined ? 'normal' : 'submenu')
    this.submenu = submenu === undefined ? null : Menu.buildFromTemplate(submenu)
    this.click = (...args) => {
      if (this.enabled) click?.(...args)
    }
  }
}

export class Menu {
  static #applicationMenu: Menu | null = null
  readonly items: readonly MenuItem[]

  constructor(items: readonly MenuItem[]) {
    this.items = items
  }

  static buildFromTemplate(template: readonly Template[]): Menu {
    return new Menu(template.map(item => new MenuItem(item)))
  }

  static setApplicationMenu(menu: Menu): void {
    Menu.#applicationMenu = menu
  }

  static getApplicationMenu(): Menu | null {
    return Menu.#applicationMenu
  }

  getMenuItemById(id: string): MenuItem | null {
    for (const item of this.items) {
      const found = item.id === id ? item : (item.submenu?.getMenuItemById(id) ?? null)
      if (found !== null) return found
    }
    return null
  }
}
