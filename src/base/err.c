#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e != NULL) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
        e->code = code;
    }
    return code;
}

/* ": " and text behind the first n bytes of e->text, cut where e->text ends. */
static void append(struct err *e, int n, const char *text)
{
    if (n < 0 || (size_t)n + 2 >= sizeof e->text) return;
    size_t at = (size_t)n + 2, size = MIN(strlen(text), sizeof e->text - 1 - at);
    memcpy(e->text + n, ": ", 2);
    memcpy(e->text + at, text, size);
    e->text[at + size] = 0;
}

void err_where(struct err *e, const char *fmt, ...)
{
    if (e == NULL) return;

    char old[sizeof e->text];
    memcpy(old, e->text, sizeof old);

    va_list ap;
    va_start(ap, fmt);
    append(e, vsnprintf(e->text, sizeof e->text, fmt, ap), old);
    va_end(ap);
}

int err_errno(struct err *e, int code, const char *fmt, ...)
{
    int saved = errno;
    if (e != NULL) {
        va_list ap;
        va_start(ap, fmt);
        append(e, vsnprintf(e->text, sizeof e->text, fmt, ap), strerror(saved));
        va_end(ap);
        e->code = code;
    }
    errno = saved;
    return code;
}

const char *err_name(int code)
{
    static const char *const names[] = { "ok",      "io",          "parse", "limit",   "range",
                                         "find",    "order",       "busy",  "timeout", "cancel",
                                         "corrupt", "unsupported", "exec",  "full" };
    return code <= 0 && (size_t)-code < COUNT(names) ? names[-code] : "unknown";
}
