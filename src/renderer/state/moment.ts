/** Times of the day and the calendar, as a person reads them. */

const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const dayOfYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })

/** `14:03` of today, `24 Nov 14:03` of this year, `24 Nov 2025` before. */
export function formatMoment(at: number, now = Date.now()): string {
  const [then, today] = [new Date(at), new Date(now)]
  if (then.toDateString() === today.toDateString()) return time.format(then)
  if (then.getFullYear() === today.getFullYear()) return `${day.format(then)} ${time.format(then)}`
  return dayOfYear.format(then)
}
