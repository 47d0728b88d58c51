/** A patch's cell in the address: `site=z&layer=1&token=5&head=2&from=3`. */
import { type PatchCell, patchCell } from '../../../contract/patching.ts'

type Query = Readonly<Record<string, string | undefined>>

/** The cell that a query names; null where it names none. Without `token` it is all positions. */
export function cellOfQuery(query: Query): PatchCell | null {
  const number = (text: string | undefined) => (text === undefined ? null : /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN)
  const { site, layer, token, head, from } = query
  const parsed = patchCell.safeParse({ site, layer: number(layer), position: number(token), head: number(head), from: number(from) })
  return parsed.success ? parsed.data : null
}

/** Query values of a cell; all are left out where there is none. */
export function queryOfCell(cell: PatchCell | null): Record<string, string | number | undefined> {
  return {
    site: cell?.site,
    layer: cell?.layer,
    token: cell?.position ?? undefined,
    head: cell?.head ?? undefined,
    from: cell?.from ?? undefined
  }
}
