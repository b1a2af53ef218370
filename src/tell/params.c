/* params.c - see params.h. */
#include "tell/params.h"

#include <math.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/float.h"
#include "query/promql/parse.h"

#define MATCHES_MAX    1000
#define MATCHES_CPU_MS 2000 /* to compile the regular expressions of all of them */

/* ---- times ---- */

static int64_t clamp_ms(double ms)
{
    return ms >= (double)API_TIME_MAX   ? API_TIME_MAX
           : ms <= (double)API_TIME_MIN ? API_TIME_MIN
                                        : (int64_t)ms;
}

/* n decimal digits at *p, which moves past them; -1 when they are none. */
static int digits(struct str *s, size_t n)
{
    int v = 0;
    if (s->n < n) return -1;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return -1;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_make(s->p + n, s->n - n);
    return v;
}

static bool mark(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c) return false;
    *s = str_make(s->p + 1, s->n - 1);
    return true;
}

/* Days from 1970-01-01, counting years from March so that leap days come last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, yoe = y - era * 400;
    int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool parse_fraction(struct str *s, int64_t *ms)
{
    int64_t unit = 100;
    size_t n = 0;
    for (; s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9'; n++, unit /= 10) {
        *ms += (s->p[0] - '0') * unit;
        *s = str_make(s->p + 1, s->n - 1);
    }
    return n > 0;
}

/* "Z" or "+hh:mm". */
static bool parse_zone(struct str *s, int64_t *ms)
{
    if (mark(s, 'Z')) return true;
    bool plus = mark(s, '+');
    if (!plus && !mark(s, '-')) return false;
    int h = digits(s, 2);
    if (h < 0 || h > 23 || !mark(s, ':')) return false;
    int m = digits(s, 2);
    if (m < 0 || m > 59) return false;
    *ms += (plus ? -1 : 1) * (h * 60 + m) * (int64_t)60000;
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool parse_rfc3339(struct str s, int64_t *out)
{
    int year = digits(&s, 4), month, day, h, m, sec;
    if (year < 0 || !mark(&s, '-') || (month = digits(&s, 2)) < 1 || month > 12 || !mark(&s, '-'))
        return false;
    if ((day = digits(&s, 2)) < 1 || day > days_in(year, month) || !mark(&s, 'T')) return false;
    if ((h = digits(&s, 2)) < 0 || h > 23 || !mark(&s, ':') || (m = digits(&s, 2)) < 0 || m > 59)
        return false;
    if (!mark(&s, ':') || (sec = digits(&s, 2)) < 0 || sec > 59) return false;

    int64_t ms = days_of(year, month, day) * 86400000 + h * 3600000 + m * 60000 + sec * 1000;
    if (mark(&s, '.') && !parse_fraction(&s, &ms)) return false;
    if (!parse_zone(&s, &ms) || s.n > 0) return false;
    *out = ms;
    return true;
}

bool param_time(struct str s, int64_t *ms)
{
    double v;

    if (float_parse(s, &v)) {
        if (isnan(v)) return false;
        *ms = clamp_ms(round(v * 1000));
        return true;
    }
    /* The ends of time as Go clients print them: years of six digits. */
    if (str_is(s, "-292273086-05-16T16:47:06Z")) return *ms = API_TIME_MIN, true;
    if (str_is(s, "292277025-08-18T07:12:54.999999999Z")) return *ms = API_TIME_MAX, true;
    return parse_rfc3339(s, ms);
}

bool param_duration(struct str s, int64_t *ms)
{
    double v;

    if (!float_parse(s, &v)) return duration_parse_ms(s, ms);
    if (!(fabs(v) <= 9.2e9)) return false; /* nanoseconds must fit 64 bits, as for Prometheus */
    *ms = (int64_t)(v * 1000);
    return true;
}

/* ---- label names in paths ---- */

/* "_1f600_" at s (past the first underscore), as one character. */
static bool take_code_point(struct str *s, struct buf *out)
{
    uint32_t r = 0;
    size_t n = 0;

    for (; n < s->n && s->p[n] != '_'; n++) {
        char c = s->p[n];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0 || n >= 6) return false;
        r = r * 16 + (uint32_t)d;
    }
    if (n == 0 || n == s->n || r > 0x10ffff || (r >= 0xd800 && r < 0xe000)) return false;
    *s = str_make(s->p + n + 1, s->n - n - 1);
    if (r < 0x80) {
        buf_char(out, (char)r);
        return true;
    }
    int more = r < 0x800 ? 1 : r < 0x10000 ? 2 : 3;
    buf_char(out, (char)(((0xf00 >> (more + 1)) & 0xff) | r >> (6 * more)));
    while (more-- > 0) buf_char(out, (char)(0x80 | (r >> (6 * more) & 0x3f)));
    return true;
}

struct str param_label_name(struct str escaped, struct arena *a)
{
    struct buf out = BUF_INIT(LABEL_NAME_MAX);
    struct str s = escaped, name = escaped;

    if (!str_starts(escaped, "U__")) return escaped;
    s = str_make(s.p + 3, s.n - 3);
    while (s.n > 0) {
        char c = s.p[0];
        s = str_make(s.p + 1, s.n - 1);
        if (c != '_')
            buf_char(&out, c);
        else if (mark(&s, '_'))
            buf_char(&out, '_');
        else if (!take_code_point(&s, &out))
            goto done; /* not an escape after all */
    }
    name = arena_str(a, buf_view(&out));
done:
    buf_release(&out);
    return name;
}

/* ---- of a request ---- */

static int invalid(struct err *e, const char *name, struct str value, const char *kind)
{
    int n = (int)MIN(value.n, 200);
    return err_set(e, ERR_PARSE, "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid %s", name, n,
                   value.p, kind);
}

int take_needed_time(struct http_exchange *x, const char *name, int64_t *ms, struct err *e)
{
    struct str s = http_param(x, name);
    return param_time(s, ms) ? OK : invalid(e, name, s, "timestamp");
}

int take_time(struct http_exchange *x, const char *name, int64_t fallback, int64_t *ms, struct err *e)
{
    struct str s = http_param(x, name);

    *ms = fallback;
    if (s.n == 0 || param_time(s, ms)) return OK;
    return err_set(
        e, ERR_PARSE,
        "invalid parameter \"%s\": invalid time value for '%s': cannot parse \"%.*s\" to a valid timestamp",
        name, name, (int)MIN(s.n, 200), s.p);
}

int take_duration(struct http_exchange *x, const char *name, int64_t fallback, int64_t *ms, struct err *e)
{
    struct str s = http_param(x, name);

    *ms = fallback;
    return s.n == 0 || param_duration(s, ms) ? OK : invalid(e, name, s, "duration");
}

int take_limit(struct http_exchange *x, const char *name, size_t *limit, struct err *e)
{
    struct str s = http_param(x, name);
    int64_t v = 0;

    *limit = 0;
    if (s.n == 0) return OK;
    if (!str_to_i64(s, &v)) return invalid(e, name, s, "number");
    if (v < 0) return err_set(e, ERR_PARSE, "invalid parameter \"%s\": limit must be non-negative", name);
    *limit = (size_t)v;
    return OK;
}

static bool refuses_something(const struct match_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        if (!matcher_matches_empty(&set->at[i])) return true;
    return false;
}

int take_matches(struct http_exchange *x, const char *name, struct arena *a, struct match_sets *sets,
                 struct err *e)
{
    struct str *texts;
    size_t n = http_params(x, name, &texts);
    int rc = OK;

    *sets = (struct match_sets){ 0 };
    if (n > MATCHES_MAX) return err_set(e, ERR_PARSE, "more than %d %s parameters", MATCHES_MAX, name);
    sets->at = arena_array(a, n + 1, sizeof *sets->at);
    int64_t begin = clock_cpu_ns();
    for (size_t i = 0; i < n && rc == OK; i++) {
        struct match_set *set = &sets->at[i];
        if (clock_cpu_ns() - begin > MATCHES_CPU_MS * INT64_C(1000000)) {
            rc = err_set(e, ERR_PARSE, "the %s parameters take more than %d ms to compile", name,
                         MATCHES_CPU_MS);
            break;
        }
        if ((rc = promql_parse_selector(texts[i], a, &set->at, &set->n, e)) < 0) break;
        sets->n++;
        if (!refuses_something(set))
            rc = err_set(e, ERR_PARSE, "%s must contain at least one non-empty matcher", name);
    }
    if (rc < 0) match_sets_release(sets);
    return rc;
}

void match_sets_release(struct match_sets *sets)
{
    for (size_t i = 0; i < sets->n; i++) matchers_release(sets->at[i].at, sets->at[i].n);
    sets->n = 0;
}
