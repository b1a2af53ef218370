/* template_time.c - see template_time.h. */
#include "query/template_time.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/check.h"

enum part {
    P_NONE,
    P_YEAR4,
    P_YEAR2,
    P_MONTH,
    P_MONTH2,
    P_MONTH_SHORT,
    P_MONTH_LONG,
    P_DAY,
    P_DAY2,
    P_DAY_PAD,
    P_DAY_OF_YEAR,
    P_WEEKDAY_SHORT,
    P_WEEKDAY_LONG,
    P_HOUR24,
    P_HOUR12,
    P_HOUR12_2,
    P_MINUTE,
    P_MINUTE2,
    P_SECOND,
    P_SECOND2,
    P_PM,
    P_PM_SMALL,
    P_ZONE_NAME,
    P_ZONE,         /* -0700 */
    P_ZONE_COLON,   /* -07:00 */
    P_ZONE_HOUR,    /* -07 */
    P_Z_ZONE,       /* Z0700 */
    P_Z_ZONE_COLON, /* Z07:00 */
    P_FRACTION,     /* .000 or ,999: as many digits as written */
};

static const struct {
    const char *text;
    enum part part;
} parts[] = {
    { "January", P_MONTH_LONG },
    { "Jan", P_MONTH_SHORT },
    { "Monday", P_WEEKDAY_LONG },
    { "Mon", P_WEEKDAY_SHORT },
    { "MST", P_ZONE_NAME },
    { "2006", P_YEAR4 },
    { "-07:00", P_ZONE_COLON },
    { "-0700", P_ZONE },
    { "-07", P_ZONE_HOUR },
    { "Z07:00", P_Z_ZONE_COLON },
    { "Z0700", P_Z_ZONE },
    { "002", P_DAY_OF_YEAR },
    { "01", P_MONTH2 },
    { "02", P_DAY2 },
    { "03", P_HOUR12_2 },
    { "04", P_MINUTE2 },
    { "05", P_SECOND2 },
    { "06", P_YEAR2 },
    { "15", P_HOUR24 },
    { "_2", P_DAY_PAD },
    { "PM", P_PM },
    { "pm", P_PM_SMALL },
    { "1", P_MONTH },
    { "2", P_DAY },
    { "3", P_HOUR12 },
    { "4", P_MINUTE },
    { "5", P_SECOND },
};

static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
                                      "July",    "August",   "September", "October", "November", "December" };
static const char *const weekdays[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday" };

/* The part at the front of a layout, and its length. */
static enum part part_at(struct str s, size_t *n)
{
    if (s.n > 1 && (s.p[0] == '.' || s.p[0] == ',') && (s.p[1] == '0' || s.p[1] == '9')) {
        size_t k = 1;
        while (k < s.n && s.p[k] == s.p[1]) k++;
        if (k == s.n || s.p[k] < '0' || s.p[k] > '9') {
            *n = k;
            return P_FRACTION;
        }
    }
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (!str_starts(s, parts[i].text)) continue;
        *n = strlen(parts[i].text);
        return parts[i].part;
    }
    *n = 1;
    return P_NONE;
}

/* ---- writing ---- */

static void put_zone(struct buf *out, int offset_s, const char *form)
{
    int minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
    buf_char(out, offset_s < 0 ? '-' : '+');
    buf_printf(out, form, minutes / 60, minutes % 60);
}

static void put_fraction(struct buf *out, struct str form, int64_t ns)
{
    char digits[16];
    size_t n = MIN(form.n - 1, (size_t)9);
    snprintf(digits, sizeof digits, "%09d", (int)ns);
    if (form.p[1] == '9')
        while (n > 0 && digits[n - 1] == '0') n--;
    if (n == 0) return;
    buf_char(out, form.p[0]);
    buf_add(out, digits, n);
}

static void put_part(struct buf *out, enum part part, struct str form, const struct tm *t, int64_t ns,
                     int offset_s)
{
    int h12 = t->tm_hour % 12 ? t->tm_hour % 12 : 12;
    switch (part) {
    case P_NONE: buf_str(out, form); break;
    case P_YEAR4: buf_printf(out, "%04d", t->tm_year + 1900); break;
    case P_YEAR2: buf_printf(out, "%02d", t->tm_year % 100); break;
    case P_MONTH: buf_printf(out, "%d", t->tm_mon + 1); break;
    case P_MONTH2: buf_printf(out, "%02d", t->tm_mon + 1); break;
    case P_MONTH_SHORT: buf_printf(out, "%.3s", months[t->tm_mon]); break;
    case P_MONTH_LONG: buf_cs(out, months[t->tm_mon]); break;
    case P_DAY: buf_printf(out, "%d", t->tm_mday); break;
    case P_DAY2: buf_printf(out, "%02d", t->tm_mday); break;
    case P_DAY_PAD: buf_printf(out, "%2d", t->tm_mday); break;
    case P_DAY_OF_YEAR: buf_printf(out, "%03d", t->tm_yday + 1); break;
    case P_WEEKDAY_SHORT: buf_printf(out, "%.3s", weekdays[t->tm_wday]); break;
    case P_WEEKDAY_LONG: buf_cs(out, weekdays[t->tm_wday]); break;
    case P_HOUR24: buf_printf(out, "%02d", t->tm_hour); break;
    case P_HOUR12: buf_printf(out, "%d", h12); break;
    case P_HOUR12_2: buf_printf(out, "%02d", h12); break;
    case P_MINUTE: buf_printf(out, "%d", t->tm_min); break;
    case P_MINUTE2: buf_printf(out, "%02d", t->tm_min); break;
    case P_SECOND: buf_printf(out, "%d", t->tm_sec); break;
    case P_SECOND2: buf_printf(out, "%02d", t->tm_sec); break;
    case P_PM: buf_cs(out, t->tm_hour < 12 ? "AM" : "PM"); break;
    case P_PM_SMALL: buf_cs(out, t->tm_hour < 12 ? "am" : "pm"); break;
    case P_ZONE_NAME:
        if (offset_s == 0)
            buf_cs(out, "UTC");
        else
            put_zone(out, offset_s, offset_s % 3600 ? "%02d%02d" : "%02d");
        break;
    case P_Z_ZONE:
    case P_Z_ZONE_COLON:
        if (offset_s == 0)
            buf_char(out, 'Z');
        else
            put_zone(out, offset_s, part == P_Z_ZONE ? "%02d%02d" : "%02d:%02d");
        break;
    case P_ZONE: put_zone(out, offset_s, "%02d%02d"); break;
    case P_ZONE_COLON: put_zone(out, offset_s, "%02d:%02d"); break;
    case P_ZONE_HOUR: put_zone(out, offset_s, "%02d"); break;
    case P_FRACTION: put_fraction(out, form, ns); break;
    }
}

void time_format(struct buf *out, struct str layout, int64_t ns, int offset_s)
{
    int64_t second = ns / 1000000000, rest = ns % 1000000000;
    struct tm t;
    if (rest < 0) {
        rest += 1000000000;
        second--;
    }
    time_t local = (time_t)(second + offset_s);
    if (gmtime_r(&local, &t) == NULL) return;
    while (layout.n > 0) {
        size_t n;
        enum part part = part_at(layout, &n);
        put_part(out, part, str_make(layout.p, n), &t, rest, offset_s);
        layout = str_make(layout.p + n, layout.n - n);
    }
}

/* ---- reading ---- */

struct reading {
    struct str s;
    struct tm t;
    int64_t fraction_ns;
    int offset_s;
    bool pm, has_pm, has_year;
};

static bool take_int(struct str *s, size_t least, size_t most, int *out)
{
    size_t n = 0;
    int v = 0;
    for (; n < most && n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) v = v * 10 + (s->p[n] - '0');
    *s = str_make(s->p + n, s->n - n);
    *out = v;
    return n >= least;
}

static bool take_text(struct str *s, const char *text, size_t n)
{
    if (s->n < n || strncasecmp(s->p, text, n) != 0) return false;
    *s = str_make(s->p + n, s->n - n);
    return true;
}

static bool take_one_of(struct str *s, const char *const *names, size_t n, bool is_short, int *out)
{
    for (size_t i = 0; i < n; i++) {
        if (!take_text(s, names[i], is_short ? 3 : strlen(names[i]))) continue;
        *out = (int)i;
        return true;
    }
    return false;
}

static bool take_zone(struct reading *r, enum part part)
{
    int hours, minutes = 0;
    bool z = part == P_Z_ZONE || part == P_Z_ZONE_COLON,
         colon = part == P_ZONE_COLON || part == P_Z_ZONE_COLON;
    if (z && take_text(&r->s, "Z", 1)) return r->offset_s = 0, true;
    if (r->s.n == 0 || (r->s.p[0] != '-' && r->s.p[0] != '+')) return false;
    int sign = r->s.p[0] == '-' ? -1 : 1;
    r->s = str_make(r->s.p + 1, r->s.n - 1);
    if (!take_int(&r->s, 2, 2, &hours)) return false;
    if (colon && !take_text(&r->s, ":", 1)) return false;
    if (part != P_ZONE_HOUR && !take_int(&r->s, 2, 2, &minutes)) return false;
    r->offset_s = sign * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

static bool take_fraction(struct reading *r)
{
    int64_t unit = 100000000;
    if (r->s.n == 0 || (r->s.p[0] != '.' && r->s.p[0] != ','))
        return true; /* Go: a fraction may be missing */
    r->s = str_make(r->s.p + 1, r->s.n - 1);
    r->fraction_ns = 0;
    for (; r->s.n > 0 && r->s.p[0] >= '0' && r->s.p[0] <= '9'; r->s = str_make(r->s.p + 1, r->s.n - 1)) {
        r->fraction_ns += (r->s.p[0] - '0') * unit;
        unit /= 10;
    }
    return true;
}

static bool take_zone_name(struct reading *r)
{
    size_t n = 0;
    while (n < r->s.n && r->s.p[n] >= 'A' && r->s.p[n] <= 'Z') n++;
    r->s = str_make(r->s.p + n, r->s.n - n);
    return n >= 3 && n <= 5; /* only UTC and GMT say where they are; others count as UTC, as in Go */
}

static bool take_part(struct reading *r, enum part part, struct str form)
{
    struct tm *t = &r->t;
    int v = 0;
    bool good = true;
    switch (part) {
    case P_NONE: return take_text(&r->s, form.p, 1);
    case P_YEAR4:
        good = take_int(&r->s, 4, 4, &v);
        t->tm_year = v - 1900;
        r->has_year = true;
        return good;
    case P_YEAR2:
        good = take_int(&r->s, 2, 2, &v);
        t->tm_year = v < 69 ? v + 100 : v;
        r->has_year = true;
        return good;
    case P_MONTH:
    case P_MONTH2:
        good = take_int(&r->s, part == P_MONTH ? 1 : 2, 2, &v) && v >= 1 && v <= 12;
        t->tm_mon = v - 1;
        return good;
    case P_MONTH_SHORT:
    case P_MONTH_LONG: return take_one_of(&r->s, months, 12, part == P_MONTH_SHORT, &t->tm_mon);
    case P_DAY_PAD:
        if (r->s.n > 0 && r->s.p[0] == ' ') r->s = str_make(r->s.p + 1, r->s.n - 1);
        return take_int(&r->s, 1, 2, &t->tm_mday);
    case P_DAY:
    case P_DAY2:
        return take_int(&r->s, part == P_DAY ? 1 : 2, 2, &t->tm_mday) && t->tm_mday >= 1 && t->tm_mday <= 31;
    case P_DAY_OF_YEAR:
        good = take_int(&r->s, 3, 3, &v);
        t->tm_mon = 0;
        t->tm_mday = v;
        return good;
    case P_WEEKDAY_SHORT:
    case P_WEEKDAY_LONG: return take_one_of(&r->s, weekdays, 7, part == P_WEEKDAY_SHORT, &v);
    case P_HOUR24: return take_int(&r->s, 2, 2, &t->tm_hour) && t->tm_hour < 24;
    case P_HOUR12:
    case P_HOUR12_2: return take_int(&r->s, 1, 2, &t->tm_hour) && t->tm_hour <= 12;
    case P_MINUTE:
    case P_MINUTE2: return take_int(&r->s, 1, 2, &t->tm_min) && t->tm_min < 60;
    case P_SECOND:
    case P_SECOND2:
        good = take_int(&r->s, 1, 2, &t->tm_sec) && t->tm_sec < 61;
        return good && take_fraction(r); /* Go: a fraction after the seconds needs no place in the layout */
    case P_PM:
    case P_PM_SMALL:
        r->has_pm = true;
        r->pm = take_text(&r->s, "PM", 2);
        return r->pm || take_text(&r->s, "AM", 2);
    case P_ZONE_NAME: return take_zone_name(r);
    case P_FRACTION: return take_fraction(r);
    default: return take_zone(r, part);
    }
}

bool time_parse(struct str layout, struct str text, int zone_offset_s, int64_t *ns)
{
    struct reading r = { .s = text, .offset_s = zone_offset_s, .t = { .tm_year = 70, .tm_mday = 1 } };
    int64_t second;
    while (layout.n > 0) {
        size_t n;
        enum part part = part_at(layout, &n);
        if (!take_part(&r, part, str_make(layout.p, n))) return false;
        layout = str_make(layout.p + n, layout.n - n);
    }
    if (r.s.n > 0) return false;
    if (r.has_pm) r.t.tm_hour = r.t.tm_hour % 12 + (r.pm ? 12 : 0);
    second = (int64_t)timegm(&r.t) - r.offset_s;
    return !__builtin_mul_overflow(second, (int64_t)1000000000, ns) &&
           !__builtin_add_overflow(*ns, r.fraction_ns, ns);
}

bool time_zone_offset(struct str name, int *offset_s)
{
    struct reading r = { .s = name };
    *offset_s = 0;
    if (name.n == 0 || str_is(name, "UTC") || str_is(name, "GMT") || str_is(name, "Local")) return true;
    if (!take_zone(&r, P_ZONE_COLON) || r.s.n > 0) return false;
    *offset_s = r.offset_s;
    return true;
}
