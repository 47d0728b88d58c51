/**
 * The steps of zoom. In the app it is Chromium's own page zoom, which charts, pointers and virtual tables know; in a browser it is the
 * browser's, so nothing of this is offered there.
 */

/** The steps of Chromium's own zoom that a workbench can use. */
const steps = [0.5, 0.67, 0.75, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3]

/** The next step above (`by` 1) or below (-1) a factor; the factor itself at the end of the steps. */
export function nextZoom(factor: number, by: 1 | -1): number {
  const next = by === 1 ? steps.find(step => step > factor + 0.001) : steps.findLast(step => step < factor - 0.001)
  return next ?? factor
}
