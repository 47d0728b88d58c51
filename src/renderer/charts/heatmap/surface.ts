/** What pictures are drawn on: a canvas of a screen or a PNG, or the text of an SVG. Coordinates are CSS pixels. */

export type TextStyle = {
  color: string
  size: number
  mono?: boolean
  bold?: boolean
  align?: 'left' | 'right' | 'center'
  /** Reads upward. */
  turned?: boolean
}

/** `y` of a text is its middle. */
export interface Surface {
  rect(x: number, y: number, width: number, height: number, fill: string): void
  outline(x: number, y: number, width: number, height: number, stroke: string, thickness: number): void
  text(x: number, y: number, text: string, style: TextStyle): void
  /** `pixels` are red, green, blue, alpha of `columns` by `rows` cells, drawn without smoothing. */
  cells(x: number, y: number, width: number, height: number, columns: number, rows: number, pixels: Uint8ClampedArray<ArrayBuffer>): void
}

export type Fonts = { sans: string; mono: string }

function fontOf({ size, mono, bold }: TextStyle, fonts: Fonts): string {
  return `${bold ? 600 : 400} ${size}px ${mono ? fonts.mono : fonts.sans}`
}

function imageOf(columns: number, rows: number, pixels: Uint8ClampedArray<ArrayBuffer>): HTMLCanvasElement {
  const image = document.createElement('canvas')
  image.width = columns
  image.height = rows
  image.getContext('2d')?.putImageData(new ImageData(pixels, columns, rows), 0, 0)
  return image
}

export class CanvasSurface implements Surface {
  readonly #context: CanvasRenderingContext2D
  readonly #fonts: Fonts

  constructor(context: CanvasRenderingContext2D, fonts: Fonts) {
    this.#context = context
    this.#fonts = fonts
  }

  rect(x: number, y: number, width: number, height: number, fill: string): void {
    this.#context.fillStyle = fill
    this.#context.fillRect(x, y, width, height)
  }

  outline(x: number, y: number, width: number, height: number, stroke: string, thickness: number): void {
    this.#context.strokeStyle = stroke
    this.#context.lineWidth = thickness
    this.#context.strokeRect(x, y, width, height)
  }

  text(x: number, y: number, text: string, style: TextStyle): void {
    const context = this.#context
    context.save()
    context.translate(x, y)
    if (style.turned) context.rotate(-Math.PI / 2)
    context.font = fontOf(style, this.#fonts)
    context.fillStyle = style.color
    context.textAlign = style.align ?? 'left'
    context.textBaseline = 'middle'
    context.fillText(text, 0, 0)
    context.restore()
  }

  cells(x: number, y: number, width: number, height: number, columns: number, rows: number, pixels: Uint8ClampedArray<ArrayBuffer>): void {
    this.#context.imageSmoothingEnabled = false
    this.#context.drawImage(imageOf(columns, rows, pixels), x, y, width, height)
  }
}

/** Most cells that an SVG has as rectangles; more of them become an image inside it. */
const mostRectangles = 30_000

export class SvgSurface implements Surface {
  readonly #parts: string[] = []
  readonly #fonts: Fonts

  constructor(fonts: Fonts) {
    this.#fonts = fonts
  }

  rect(x: number, y: number, width: number, height: number, fill: string): void {
    this.#parts.push(`<rect x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}" fill="${fill}"/>`)
  }

  outline(x: number, y: number, width: number, height: number, stroke: string, thickness: number): void {
    this.#parts.push(
      `<rect x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}" fill="none" stroke="${stroke}" stroke-width="${thickness}"/>`
    )
  }

  text(x: number, y: number, text: string, style: TextStyle): void {
    const anchor = { left: 'start', center: 'middle', right: 'end' }[style.align ?? 'left']
    const turn = style.turned ? ` transform="rotate(-90 ${short(x)} ${short(y)})"` : ''
    const family = escaped(style.mono ? this.#fonts.mono : this.#fonts.sans)
    this.#parts.push(
      `<text x="${short(x)}" y="${short(y)}"${turn} text-anchor="${anchor}" dominant-baseline="central" font-family="${family}" font-size="${style.size}" font-weight="${style.bold ? 600 : 400}" fill="${style.color}" xml:space="preserve">${escaped(text)}</text>`
    )
  }

  cells(x: number, y: number, width: number, height: number, columns: number, rows: number, pixels: Uint8ClampedArray<ArrayBuffer>): void {
    if (columns * rows > mostRectangles) {
      const data = imageOf(columns, rows, pixels).toDataURL('image/png')
      this.#parts.push(
        `<image x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${data}"/>`
      )
      return
    }
    const [cellWidth, cellHeight] = [width / columns, height / rows]
    this.#parts.push('<g shape-rendering="crispEdges">')
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; ) {
        const color = colorAt(pixels, row * columns + column)
        const start = column
        while (column < columns && colorAt(pixels, row * columns + column) === color) column += 1
        this.rect(x + start * cellWidth, y + row * cellHeight, (column - start) * cellWidth, cellHeight, color)
      }
    }
    this.#parts.push('</g>')
  }

  /** The whole picture as an SVG file's text. */
  toText(width: number, height: number): string {
    const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${short(width)}" height="${short(height)}" viewBox="0 0 ${short(width)} ${short(height)}">`
    return `${head}\n${this.#parts.join('\n')}\n</svg>\n`
  }
}

function colorAt(pixels: Uint8ClampedArray, cell: number): string {
  const hex = [0, 1, 2].map(channel => (pixels[4 * cell + channel] ?? 0).toString(16).padStart(2, '0'))
  return `#${hex.join('')}`
}

function short(value: number): string {
  return String(Math.round(value * 100) / 100)
}

/** XML knows no control characters, not even escaped: they are drawn as the sign for what has none. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones meant.
const unwritable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g

function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(unwritable, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
