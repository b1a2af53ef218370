/* command.h - another program run with care: no shell, a clean environment, a time limit, bounded output.
 *
 * It gets nothing of ours: its descriptors are /dev/null, a pipe for what it prints and nothing else, its
 * folder is /, its environment PATH and LANG, its signals those of a fresh process. It is the head of a
 * process group, which is killed whole when time is up. What it leaves running in another group is its own
 * affair.
 *
 * Threads: any. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct command {
    const char *const *argv; /* argv[0]: an absolute path; ends with NULL */
    int64_t timeout_ms;
    const atomic_bool *cancelled; /* NULL: never */
};

struct command_result {
    int exit;   /* status, or -1 */
    int signal; /* that ended it, or 0 */
    bool has_timed_out, is_cancelled;
};

/* Waits for its end. What it prints goes to `output` up to the buffer's ceiling, the rest is read and
 * dropped. ERR_IO when it cannot be started; how it ended is no error. */
int command_run(const struct command *, struct buf *output, struct command_result *, struct err *);
