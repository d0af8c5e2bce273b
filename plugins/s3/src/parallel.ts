/** Works on all of them, so many at a time. With the first that fails no further one is begun, and what was begun has ended when this rejects. */
export async function inParallel<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  let hasFailed = false
  const lane = async (): Promise<void> => {
    while (!hasFailed && next < items.length) {
      const item = items[next++] as T
      try {
        await work(item)
      } catch (error) {
        hasFailed = true
        throw error
      }
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, lane))
  const failure = lanes.find((one) => one.status === 'rejected')
  if (failure !== undefined) throw failure.reason
}
