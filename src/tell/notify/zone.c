/* zone.c - see zone.h. A file holds moments at which the offset changes, and behind them a rule in POSIX' TZ
 * form for all later times ("CET-1CEST,M3.5.0,M10.5.0/3"). Of its two copies of the table the second, with
 * 64-bit times, is read. */
#include "tell/notify/zone.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"

#define ZONE_BYTES_MAX (256u << 10)
#define HEADER         44

struct turn { /* a moment of the year: day of week in week of month, and seconds after midnight */
    int month, week, day, at_s;
};

struct zone {
    size_t n;
    int64_t *from; /* n moments, rising */
    int32_t *offset;
    int32_t first;          /* before all of them */
    bool has_rule, has_dst; /* after all of them */
    int32_t standard, summer;
    struct turn begin, end;
};

static uint32_t be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static int64_t be64(const char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* ---- the rule ---- */

static bool skip_name(struct str *s)
{
    size_t n = 0;
    if (s->n > 0 && s->p[0] == '<') {
        while (n < s->n && s->p[n] != '>') n++;
        n++;
    } else {
        while (n < s->n && ((s->p[n] | 32) >= 'a' && (s->p[n] | 32) <= 'z')) n++;
    }
    if (n == 0 || n > s->n) return false;
    *s = str_make(s->p + n, s->n - n);
    return true;
}

static bool take_char(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c) return false;
    *s = str_make(s->p + 1, s->n - 1);
    return true;
}

static bool take_number(struct str *s, int *out)
{
    size_t n = 0;
    for (*out = 0; n < s->n && n < 4 && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        *out = *out * 10 + (s->p[n] - '0');
    *s = str_make(s->p + n, s->n - n);
    return n > 0;
}

static bool take_hms(struct str *s, int *out_s)
{
    int h, m = 0, sec = 0;
    bool minus = take_char(s, '-');
    if (!minus) take_char(s, '+');
    if (!take_number(s, &h)) return false;
    if (take_char(s, ':') && !take_number(s, &m)) return false;
    if (take_char(s, ':') && !take_number(s, &sec)) return false;
    *out_s = (h * 60 + m) * 60 + sec;
    if (minus) *out_s = -*out_s;
    return true;
}

static bool take_turn(struct str *s, struct turn *t)
{
    t->at_s = 2 * 3600;
    if (!take_char(s, ',') || !take_char(s, 'M') || !take_number(s, &t->month) || !take_char(s, '.'))
        return false;
    if (!take_number(s, &t->week) || !take_char(s, '.') || !take_number(s, &t->day)) return false;
    if (take_char(s, '/') && !take_hms(s, &t->at_s)) return false;
    return t->month >= 1 && t->month <= 12 && t->week >= 1 && t->week <= 5 && t->day <= 6;
}

static void read_rule(struct zone *z, struct str s)
{
    int west;
    if (!skip_name(&s) || !take_hms(&s, &west)) return;
    z->standard = -west;
    z->has_rule = true;
    if (!skip_name(&s)) return;
    z->summer = z->standard + 3600;
    if (s.n > 0 && s.p[0] != ',') {
        if (!take_hms(&s, &west)) return;
        z->summer = -west;
    }
    z->has_dst = take_turn(&s, &z->begin) && take_turn(&s, &z->end);
}

static int64_t days_of(int64_t y, int m, int d) /* since 1970, of the Gregorian calendar */
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t turn_at(const struct turn *t, int64_t year, int32_t offset)
{
    int64_t first = days_of(year, t->month, 1);
    int64_t next = t->month == 12 ? days_of(year + 1, 1, 1) : days_of(year, t->month + 1, 1);
    int weekday = (int)(((first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    int64_t day = first + (t->day - weekday + 7) % 7 + 7 * (t->week - 1);
    while (day >= next) day -= 7;
    return day * 86400 + t->at_s - offset;
}

static int year_of(int64_t unix_s)
{
    int64_t year = 1970 + unix_s / 31556952;
    while (days_of(year, 1, 1) * 86400 > unix_s) year--;
    while (days_of(year + 1, 1, 1) * 86400 <= unix_s) year++;
    return (int)year;
}

static int32_t by_rule(const struct zone *z, int64_t at)
{
    if (!z->has_dst) return z->standard;
    int year = year_of(at + z->standard);
    int64_t begin = turn_at(&z->begin, year, z->standard), end = turn_at(&z->end, year, z->summer);
    bool summer = begin < end ? at >= begin && at < end : at >= begin || at < end; /* south of the equator */
    return summer ? z->summer : z->standard;
}

/* ---- the table ---- */

struct counts {
    uint64_t isut, isstd, leap, time, type, chars;
};

static bool read_counts(struct str f, struct counts *c)
{
    if (f.n < HEADER || memcmp(f.p, "TZif", 4) != 0 || f.p[4] < '2') return false;
    *c = (struct counts){ be32(f.p + 20), be32(f.p + 24), be32(f.p + 28),
                          be32(f.p + 32), be32(f.p + 36), be32(f.p + 40) };
    return true;
}

static uint64_t body_size(const struct counts *c, unsigned time_size)
{
    return c->time * time_size + c->time + c->type * 6 + c->chars + c->leap * (time_size + 4) + c->isstd +
           c->isut;
}

static bool read_table(struct zone *z, struct str f, const struct counts *c)
{
    const char *times = f.p, *kinds = times + c->time * 8, *types = kinds + c->time;
    if (c->type == 0) return false;
    z->n = c->time;
    z->from = mem_array(c->time, sizeof *z->from);
    z->offset = mem_array(c->time, sizeof *z->offset);
    z->first = (int32_t)be32(types);
    for (size_t i = 0; i < z->n; i++) {
        unsigned char kind = (unsigned char)kinds[i];
        if (kind >= c->type) return false;
        z->from[i] = be64(times + i * 8);
        z->offset[i] = (int32_t)be32(types + kind * 6);
    }
    return true;
}

static bool read_zone(struct zone *z, struct str f)
{
    struct counts c;
    if (!read_counts(f, &c)) return false;
    uint64_t skip = HEADER + body_size(&c, 4);
    if (skip > f.n) return false;
    f = str_make(f.p + skip, f.n - skip);
    if (!read_counts(f, &c) || HEADER + body_size(&c, 8) > f.n) return false;
    f = str_make(f.p + HEADER, f.n - HEADER);
    if (!read_table(z, f, &c)) return false;
    struct str footer = { f.p + body_size(&c, 8), f.n - body_size(&c, 8) }, after;
    if (take_char(&footer, '\n')) read_rule(z, str_cut(footer, '\n', &after));
    return true;
}

/* ---- loading ---- */

static bool is_safe(struct str name)
{
    if (name.n == 0 || name.n > 200 || name.p[0] == '/' || name.p[0] == '.') return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z', digit = c >= '0' && c <= '9';
        if (!letter && !digit && memchr("/_+-", c, 4) == NULL) return false;
    }
    return true;
}

int zone_load(struct str name, struct zone **out, struct err *e)
{
    char path[256];
    struct buf bytes = BUF_INIT(ZONE_BYTES_MAX);
    *out = NULL;
    if (name.n == 0 || str_is(name, "UTC")) return OK;
    if (!is_safe(name)) return err_set(e, ERR_FIND, "unknown time zone %.*s", STR_ARG(name));

    const char *tz = str_is(name, "Local") ? getenv("TZ") : NULL;
    if (tz != NULL && is_safe(str_of(tz))) name = str_of(tz);
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", STR_ARG(name));
    int rc = file_slurp(str_is(name, "Local") ? "/etc/localtime" : path, &bytes, NULL);
    struct zone *z = mem_alloc_zero(sizeof *z);
    if (rc == OK && read_zone(z, buf_view(&bytes))) {
        *out = z;
    } else {
        zone_free(z);
        rc = err_set(e, ERR_FIND, "unknown time zone %.*s", STR_ARG(name));
    }
    buf_release(&bytes);
    return rc;
}

void zone_free(struct zone *z)
{
    if (z == NULL) return;
    mem_free(z->from);
    mem_free(z->offset);
    mem_free(z);
}

int zone_offset_s(const struct zone *z, int64_t at)
{
    if (z == NULL) return 0;
    if (z->n == 0 || at < z->from[0]) return z->n == 0 && z->has_rule ? by_rule(z, at) : z->first;
    if (at >= z->from[z->n - 1] && z->has_rule) return by_rule(z, at);
    size_t low = 0, high = z->n; /* the last moment that is not after at */
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (z->from[mid] <= at)
            low = mid;
        else
            high = mid;
    }
    return z->offset[low];
}
