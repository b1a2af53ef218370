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

void err_where(struct err *e, const char *fmt, ...)
{
    if (e == NULL) return;

    char old[sizeof e->text];
    memcpy(old, e->text, sizeof old);

    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->text)
        snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", old);
}

int err_errno(struct err *e, int code, const char *fmt, ...)
{
    int saved = errno;
    if (e != NULL) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof e->text)
            snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", strerror(saved));
        e->code = code;
    }
    errno = saved;
    return code;
}

const char *err_name(int code)
{
    static const char *const names[] = { "ok",     "io",     "parse",   "limit",  "range",   "find",  "order",
                                         "busy",   "timeout", "cancel", "corrupt", "unsupported", "exec", "full" };
    return code <= 0 && (size_t)-code < COUNT(names) ? names[-code] : "unknown";
}
