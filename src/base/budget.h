/* budget.h - one account of the memory of this process, and who is refused first when it runs out.
 *
 *     used = resident memory as of the last look + what was taken by name since
 *
 * Resident memory (/proc/self/statm, looked at every 25 ms, every 5 ms when it is tight) is the truth, and
 * late; what is taken by name is known at once, but is not all there is. Together they are neither late nor
 * blind.
 *
 *     of the limit   70 %: caches are emptied, what was freed goes back to the system
 *                    78 %: telemetry is refused for a moment (ERR_BUSY: 429)
 *                    85 %: queries that want more are refused (ERR_LIMIT: 422) and new bodies are not read
 * (503)
 *
 * The rest is for what was begun: between two looks six heavy queries and two senders take some 12 % of 200
 * MiB.
 *
 * Shares of the limit are what the parts of the server are told to stay within; they are fixed at the start
 * and leave a fifth to nobody. One account a process: there is one memory. Without a limit everything is
 * allowed, and counted.
 *
 * Threads: all functions from any; budget_start and budget_stop from the main thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum budget_use {
    BUDGET_HEAD,     /* rows not yet in files: 1/8 */
    BUDGET_SERIES,   /* labels of the series that are alive: 1/4 */
    BUDGET_CACHES,   /* kept answers, pages: 1/8 */
    BUDGET_QUERIES,  /* under way, and their answers: 1/4 */
    BUDGET_REQUESTS, /* bodies, and what is made of them: 1/16 */
    BUDGET_USES
};

enum budget_level { BUDGET_EASY, BUDGET_TIGHT, BUDGET_NO_INGEST, BUDGET_NO_QUERIES };

#define BUDGET_LEAST ((uint64_t)96 << 20) /* a limit below is no server */

/* Bytes ("512MiB"), a share of the machine ("60%"), "auto" (80 % of the machine when a control group says how
 * much that is, else none), "none". */
int budget_parse(struct str text, uint64_t *limit_bytes, struct err *);
/* What this process may have: the least of its control groups (v1 and v2) and of the machine's memory.
 * is_group: a group says so. */
uint64_t budget_machine_bytes(bool *is_group);

/* 0: no limit. Starts the thread that looks. */
void budget_start(uint64_t limit_bytes);
void budget_stop(void);
/* Called by that thread when memory is tight, once a second at most: let go of what can be made again. */
void budget_on_tight(void (*shrink)(void *ctx), void *ctx); /* at most 8 */

uint64_t budget_limit(void);                              /* 0: none */
uint64_t budget_share(enum budget_use);                   /* UINT64_MAX: no limit */
uint64_t budget_at_most(enum budget_use, uint64_t bytes); /* the lesser of both */

void budget_take(enum budget_use, size_t bytes); /* counted, never refused: ask first */
void budget_give(enum budget_use, size_t bytes);
uint64_t budget_taken(enum budget_use);
uint64_t budget_used(void);
const char *budget_use_name(enum budget_use);

/* All requests under way, bodies and what is made of them: at most so much together. The start: 256 MiB. */
void budget_requests_most(uint64_t bytes);
/* More for a request that will then have own. Counted in any case; false: there is no room beside the others.
 * Who has little, or is alone, always has room. */
bool budget_request_take(size_t more, size_t own);
void budget_request_give(size_t bytes);

enum budget_level budget_level(void);
/* May telemetry come in that will take about so many bytes? ERR_BUSY. */
int budget_admit_ingest(size_t bytes, struct err *);
/* May a query take so many bytes more? ERR_LIMIT. */
int budget_admit_query(size_t bytes, struct err *);
