/* cli_import_progress.c - how far an import has come. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/cli_import.h"

#define BAR_WIDTH      24
#define TERMINAL_EVERY 100000000  /* ns */
#define PLAIN_EVERY    5000000000 /* a log file needs less */

void import_progress_begin(struct import_progress *p, const char *file, const char *what, uint64_t of_bytes)
{
    int64_t now = clock_mono_ns();
    *p = (struct import_progress){
        .file = file, .what = what, .of_bytes = of_bytes, .began_ns = now, .shown_ns = now
    };
}

static void bar(char out[BAR_WIDTH + 1], double part)
{
    int full = (int)(part * BAR_WIDTH);
    memset(out, '-', BAR_WIDTH);
    memset(out, '#', (size_t)full);
    out[BAR_WIDTH] = 0;
}

void import_progress_show(struct import_progress *p, uint64_t bytes, uint64_t items)
{
    const bool terminal = isatty(2);
    int64_t now = clock_mono_ns();
    p->bytes = bytes < p->of_bytes ? bytes : p->of_bytes;
    p->items = items;
    if (now - p->shown_ns < (terminal ? TERMINAL_EVERY : PLAIN_EVERY)) return;

    double seconds = (double)(now - p->began_ns) / 1e9;
    double part = p->of_bytes ? (double)p->bytes / (double)p->of_bytes : 1;
    double left = part > 0 ? seconds / part - seconds : 0;
    char drawn[BAR_WIDTH + 1];
    bar(drawn, part);
    fprintf(stderr,
            terminal ? "\r\x1b[K%s [%s] %3.0f %%  %.1f of %.1f MB  %llu %s  %.0f/s  %.0f s left"
                     : "%s: %s %.0f %%, %.1f of %.1f MB, %llu %s, %.0f/s, %.0f s left\n",
            p->file, terminal ? drawn : "at", 100 * part, (double)p->bytes / 1e6, (double)p->of_bytes / 1e6,
            (unsigned long long)items, p->what, (double)items / seconds, left);
    p->shown_ns = now;
}

void import_progress_clear(const struct import_progress *p)
{
    (void)p;
    if (isatty(2)) fprintf(stderr, "\r\x1b[K");
}
