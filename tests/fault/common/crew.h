/* crew.h - the cases of a fault test, shared out over a few processes, so that a crash is a finding and not
 * the end.
 *
 * Case i runs in process i % jobs. A case that finds something says so by crew_wrong; a process that dies is
 * one more finding, named by the case that it had begun, and the rest of its share is taken up by a new
 * process. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The run of a whole program: figures are shared by all its processes. */
enum { CREW_FIGURES = 32 };
void crew_init(const char *name, unsigned jobs);
void crew_cases(size_t n, void (*run)(void *ctx, size_t i, unsigned process), void *ctx);
void crew_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void crew_count(unsigned figure, uint64_t n);
void crew_most(unsigned figure, uint64_t n);
uint64_t crew_figure(unsigned figure);
uint64_t crew_failures(void);
int crew_exit(void); /* prints "ok NAME" or "not ok NAME"; the exit status */

/* A scratch directory in memory if the machine has one (/dev/shm), else under /tmp; removed by
 * scratch_remove. */
const char *scratch_make(void);
void scratch_remove(void);
void tree_remove(const char *path);
void tree_copy(const char *from, const char *to); /* holes stay holes */
