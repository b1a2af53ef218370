/* clock.h - the wall for timestamps, the monotonic clock for everything that waits. */
#pragma once
#include <stdint.h>

int64_t clock_now_ms(void);  /* Unix time, UTC */
int64_t clock_mono_ns(void); /* never goes back; no relation to the wall */
int64_t clock_cpu_ns(void);  /* CPU time of the calling thread */

/* Tests only: clock_now_ms answers this until called with 0. */
void clock_fix_ms(int64_t now_ms);
