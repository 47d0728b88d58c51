/** Pictures as files: a PNG of twice the screen's density, or an SVG. */
import { CanvasSurface, type Fonts, type Surface, SvgSurface } from './surface.ts'

export type PictureKind = 'png' | 'svg'
export type PictureSource = {
  width: number
  height: number
  background: string
  fonts: Fonts
  draw: (surface: Surface) => void
}

/** What a picture stands in: a heading of this height above it, a foot below, and the width that those two need. */
export type PictureFrame = { above: number; below: number; width: number; draw: (surface: Surface, foot: number) => void }

/** Draws what is shown into a file, in a frame. */
export type PictureExporter = (kind: PictureKind, frame: PictureFrame) => Promise<Blob>

const density = 2

/** Draws a picture into a file. Throws where the browser makes no PNG of it. */
export async function pictureFile(kind: PictureKind, { width, height, background, fonts, draw }: PictureSource): Promise<Blob> {
  if (kind === 'svg') {
    const surface = new SvgSurface(fonts)
    surface.rect(0, 0, width, height, background)
    draw(surface)
    return new Blob([surface.toText(width, height)], { type: 'image/svg+xml' })
  }
  const canvas = document.createElement('canvas')
  canvas.width = Math.round(width * density)
  canvas.height = Math.round(height * density)
  const context = canvas.getContext('2d')
  if (context !== null) {
    context.scale(density, density)
    const surface = new CanvasSurface(context, fonts)
    surface.rect(0, 0, width, height, background)
    draw(surface)
  }
  const blob = await new Promise<Blob | null>(resolve => canvas.toBlob(resolve, 'image/png'))
  if (blob === null) throw new Error('The browser made no PNG of the picture.')
  return blob
}
