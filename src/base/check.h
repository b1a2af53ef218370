/* check.h - what must be true. A failed check is a bug of ours: say where, and stop.
 * Stays on in production: a monitor that runs on with broken invariants lies to its users. */
#pragma once

#define check(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))

__attribute__((noreturn)) void check_failed(const char *cond, const char *file,
                                            int line); /* C++ has no _Noreturn */

#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)   ((a) < (b) ? (a) : (b))
#define MAX(a, b)   ((a) > (b) ? (a) : (b))
#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
