/**
 * What `main.ts` is started with: V8 takes its sizes from the memory of the machine, and lets garbage gather to four times
 * what lives. The reasons and the figures are in docs/performance.md. The start script and the image repeat them, as
 * nothing of ours runs before V8 has made its heap.
 *
 * - `--max-semi-space-size`, MB: half of the young generation, all of which becomes resident. V8's own is 32.
 * - `--heap-growing-percent`: how much of what lives at a collection of the whole heap comes on top before the next one.
 */
export const HEAP_FLAGS: readonly string[] = ['--max-semi-space-size=8', '--heap-growing-percent=120']
