/* reject.c - names, texts and counters of the reasons in reject.h.
 *
 * The counters are made together on first use, so that every reason shows up as 0 before it ever happens. */
#include "model/reject.h"

#include <pthread.h>
#include <stdio.h>

#include "base/check.h"
#include "base/stat.h"

static const char *const names[] = {
#define X(name, text) #name,
    REJECT_REASONS(X)
#undef X
};

static const char *const texts[] = {
#define X(name, text) text,
    REJECT_REASONS(X)
#undef X
};

/* Global like the metric itself: refusals of every door add up in one family. */
static struct stat *counters[REJECT_COUNT];
static pthread_once_t counters_once = PTHREAD_ONCE_INIT;

static void make_counters(void)
{
    for (int i = 0; i < REJECT_COUNT; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "reason=\"%s\"", names[i]);
        counters[i] =
            stat_counter("vedette_rejected_total", "Telemetry refused or dropped, by reason.", labels);
    }
}

const char *reject_name(enum reject r)
{
    check((unsigned)r < REJECT_COUNT);
    return names[r];
}

const char *reject_text(enum reject r)
{
    check((unsigned)r < REJECT_COUNT);
    return texts[r];
}

void reject_count(enum reject r, unsigned long n)
{
    check((unsigned)r < REJECT_COUNT);
    pthread_once(&counters_once, make_counters);
    stat_add(counters[r], n);
}
