/** One thing that a provider must do, as data: any test runner can run it. `run` rejects when it does not hold. */
export interface ConformanceTest {
  /** A sentence about behaviour. */
  readonly name: string
  readonly run: () => Promise<void>
}
