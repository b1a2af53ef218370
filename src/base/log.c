/* log.c - one line, one write(2).
 *
 * A storm of one message would hide all others and fill the disk of whoever collects stderr: of each
 * module+text only LINES_A_SECOND get through, the next line after the storm tells how many did not
 * ("suppressed").
 *
 * Threads: `mu` guards the table of recent messages; lines are built on the caller's stack and heap without
 * it. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/stat.h"

enum { LINES_A_SECOND = 10, RECENT_MAX = 256, PAIRS_MAX = 32, LINE_MAX_BYTES = 64 << 10 };

struct pair {
    const char *key, *value;
};

struct recent { /* one message seen not long ago */
    uint64_t hash;
    int64_t second;
    unsigned lines, suppressed;
};

/* Globals: standard error is one, and so are its settings and its storms. */
static atomic_int least_level = LOG_INFO;
static atomic_int as_json = -1;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct recent recent[RECENT_MAX];

void log_set_level(enum log_level least)
{
    atomic_store(&least_level, (int)least);
}

void log_set_json(int on)
{
    atomic_store(&as_json, on);
}

const char *log_num(int64_t v)
{
    static _Thread_local char text[8][24];
    static _Thread_local unsigned next;
    char *to = text[next++ % 8];
    snprintf(to, sizeof text[0], "%lld", (long long)v);
    return to;
}

static struct stat *suppressed_stat(void)
{
    return stat_counter("vedette_log_suppressed_total",
                        "Log lines not written because the same came too often.", NULL);
}

/* May this message be written now? *suppressed: how many like it were not, since the last that was. */
static bool admit(const char *module, const char *text, unsigned *suppressed)
{
    uint64_t hash = hash64(module, strlen(module)) * 31 + hash64(text, strlen(text));
    int64_t second = clock_mono_ns() / 1000000000;
    bool admitted;

    pthread_mutex_lock(&mu);
    struct recent *r = &recent[hash % RECENT_MAX];
    if (r->hash != hash) *r = (struct recent){ .hash = hash, .second = second };
    if (r->second != second) {
        r->second = second;
        r->lines = 0;
    }
    admitted = r->lines++ < LINES_A_SECOND;
    if (admitted) {
        *suppressed = r->suppressed;
        r->suppressed = 0;
    } else {
        r->suppressed++;
    }
    pthread_mutex_unlock(&mu);
    if (!admitted) stat_add(suppressed_stat(), 1);
    return admitted;
}

static void put_time(struct buf *out)
{
    int64_t now = clock_now_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm utc;
    char text[32];
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    buf_printf(out, "%s.%03dZ", text, (int)(now % 1000));
}

static void put_json_pair(struct buf *out, const char *key, const char *value)
{
    buf_char(out, ',');
    json_escape(out, str_of(key));
    buf_char(out, ':');
    json_escape(out, str_of(value));
}

static void put_json(struct buf *out, const char *level, const char *module, const char *text,
                     const struct pair *pairs, size_t n)
{
    buf_cs(out, "{\"time\":\"");
    put_time(out);
    buf_char(out, '"');
    put_json_pair(out, "level", level);
    put_json_pair(out, "module", module);
    put_json_pair(out, "text", text);
    for (size_t i = 0; i < n; i++) put_json_pair(out, pairs[i].key, pairs[i].value);
    buf_char(out, '}');
}

/* For a terminal: bare words stay bare, anything else is quoted, so that nobody's data can steer the
 * terminal. */
static void put_plain_value(struct buf *out, const char *value)
{
    bool bare = *value != 0;
    for (const unsigned char *p = (const unsigned char *)value; *p != 0; p++)
        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '=') bare = false;
    if (bare)
        buf_cs(out, value);
    else
        json_escape(out, str_of(value));
}

static void put_plain(struct buf *out, const char *level, const char *module, const char *text,
                      const struct pair *pairs, size_t n)
{
    put_time(out);
    buf_printf(out, " %-5s %s: %s", level, module, text);
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "  %s=", pairs[i].key);
        put_plain_value(out, pairs[i].value);
    }
}

static bool wants_json(void)
{
    int set = atomic_load(&as_json);
    return set >= 0 ? set != 0 : !isatty(STDERR_FILENO);
}

void log_line(enum log_level level, const char *module, const char *text, ...)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    struct pair pairs[PAIRS_MAX + 1];
    size_t n = 0;
    unsigned suppressed;

    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed)) return;
    if (!admit(module, text, &suppressed)) return;

    va_list ap;
    va_start(ap, text);
    for (const char *key; n < PAIRS_MAX && (key = va_arg(ap, const char *)) != NULL; n++) {
        const char *value = va_arg(ap, const char *);
        pairs[n] = (struct pair){ key, value ? value : "" };
    }
    va_end(ap);
    if (suppressed > 0) pairs[n++] = (struct pair){ "suppressed", log_num(suppressed) };

    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    (wants_json() ? put_json : put_plain)(&line, names[level], module, text, pairs, n);
    if (line.full) { /* a line cut in the middle would not be JSON */
        buf_clear(&line);
        (wants_json() ? put_json : put_plain)(&line, names[level], module, text, NULL, 0);
    }
    buf_char(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.p, line.n); /* nobody is left to tell when this fails */
    (void)written;
    buf_release(&line);
}
