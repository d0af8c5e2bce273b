/** Node lets a longer timer ring at once: 24.8 days are as good as for ever. */
export const longestTimerMs = 2 ** 31 - 1
