/* time_interval.c - see time_interval.h. */
#include "tell/notify/time_interval.h"

#include <time.h>

#include "base/check.h"

#define RANGES_MAX 1000

static const char *const weekday_names[] = { "sunday",   "monday", "tuesday", "wednesday",
                                             "thursday", "friday", "saturday" };
static const char *const month_names[] = { "january",   "february", "march",    "april",
                                           "may",       "june",     "july",     "august",
                                           "september", "october",  "november", "december" };

/* What a range's ends are made of. */
struct unit {
    const char *key, *what;
    const char *const *names;
    int n_names, first; /* number of the first name */
    bool numbers;
    int least, most;
};

static const struct unit units[] = {
    { "weekdays", "a weekday", weekday_names, 7, 0, false, 0, 6 },
    { "days_of_month", "a day of the month (1 to 31, or -31 to -1 from its end)", NULL, 0, 0, true, -31, 31 },
    { "months", "a month", month_names, 12, 1, true, 1, 12 },
    { "years", "a year", NULL, 0, 0, true, 0, 9999 },
};

static bool end_value(const struct unit *u, struct str s, int *out)
{
    int64_t v;
    for (int i = 0; i < u->n_names; i++)
        if (str_is_nocase(s, u->names[i])) return *out = u->first + i, true;
    if (!u->numbers || !str_to_i64(s, &v) || v < u->least || v > u->most) return false;
    *out = (int)v;
    return u->least >= 0 || v != 0;
}

/* Days counted from the end are compared in the shortest month, as Alertmanager does. */
static bool is_rising(struct time_range r)
{
    if (r.from < 0 && r.to > 0) return false;
    return (r.from < 0 ? 28 + r.from : r.from) <= (r.to < 0 ? 28 + r.to : r.to);
}

static int read_range(const struct unit *u, const struct yaml *y, struct time_range *r, struct err *e)
{
    struct str text = STR(""), to;
    int rc = yaml_str(y, &text, e);
    if (rc < 0) return rc;
    struct str from = str_cut(text, ':', &to);
    if (from.n == text.n) to = from;
    if (!end_value(u, from, &r->from) || !end_value(u, to, &r->to))
        return err_set(e, ERR_PARSE, "line %d: \"%.*s\" is not %s or a range of two with a colon", y->line,
                       STR_ARG(text), u->what);
    if (u->least >= 0 ? r->from > r->to : !is_rising(*r))
        return err_set(e, ERR_PARSE, "line %d: \"%.*s\" ends before it begins", y->line, STR_ARG(text));
    return OK;
}

static int list_of(struct yaml *map, const char *key, struct arena *a, struct yaml **list,
                   struct time_ranges *out, struct err *e)
{
    *list = yaml_get(map, key);
    if (*list == NULL) return OK;
    if ((*list)->kind != YAML_LIST) return err_set(e, ERR_PARSE, "line %d: %s is a list", (*list)->line, key);
    if ((*list)->n > RANGES_MAX)
        return err_set(e, ERR_LIMIT, "line %d: more than %d ranges", (*list)->line, RANGES_MAX);
    out->at = arena_zero(a, (*list)->n * sizeof *out->at);
    return OK;
}

static int read_ranges(const struct unit *u, struct yaml *map, struct arena *a, struct time_ranges *out,
                       struct err *e)
{
    struct yaml *list;
    int rc = list_of(map, u->key, a, &list, out, e);
    for (size_t i = 0; rc == OK && list != NULL && i < list->n; i++) {
        rc = read_range(u, list->items[i], &out->at[i], e);
        out->n = i + 1;
    }
    return rc;
}

static bool clock_minutes(struct str s, int *out)
{
    if (s.n != 5 || s.p[2] != ':') return false;
    for (int i = 0; i < 5; i++)
        if (i != 2 && (s.p[i] < '0' || s.p[i] > '9')) return false;
    int h = (s.p[0] - '0') * 10 + s.p[1] - '0', m = (s.p[3] - '0') * 10 + s.p[4] - '0';
    *out = h * 60 + m;
    return m < 60 && *out <= 24 * 60;
}

static int read_times(struct yaml *map, struct arena *a, struct time_ranges *out, struct err *e)
{
    struct yaml *list;
    int rc = list_of(map, "times", a, &list, out, e);
    for (size_t i = 0; rc == OK && list != NULL && i < list->n; i++) {
        struct str from = STR(""), to = STR("");
        struct time_range *r = &out->at[out->n++];
        rc = yaml_str(yaml_get(list->items[i], "start_time"), &from, e);
        if (rc == OK) rc = yaml_str(yaml_get(list->items[i], "end_time"), &to, e);
        if (rc == OK && (!clock_minutes(from, &r->from) || !clock_minutes(to, &r->to) || r->from >= r->to))
            rc =
                err_set(e, ERR_PARSE,
                        "line %d: a time has start_time and end_time like 09:00 and 17:00 (24:00 is the end)",
                        list->items[i]->line);
    }
    return rc;
}

static int read_span(struct yaml *map, struct arena *a, struct time_span *s, struct err *e)
{
    struct time_ranges *ranges[] = { &s->weekdays, &s->days, &s->months, &s->years };
    struct str location = STR("");
    if (map->kind != YAML_MAP && map->kind != YAML_NULL)
        return err_set(e, ERR_PARSE, "line %d: a time interval is a map", map->line);
    int rc = read_times(map, a, &s->minutes, e);
    for (size_t i = 0; i < COUNT(units) && rc == OK; i++) rc = read_ranges(&units[i], map, a, ranges[i], e);
    struct yaml *where = yaml_get(map, "location");
    if (rc == OK) rc = yaml_str(where, &location, e);
    if (rc == OK && (rc = zone_load(location, &s->zone, e)) < 0)
        err_where(e, "line %d: location", where->line);
    return rc;
}

int time_interval_read(struct yaml *map, struct arena *a, struct time_interval *t, struct err *e)
{
    *t = (struct time_interval){ 0 };
    int rc = yaml_str(yaml_get(map, "name"), &t->name, e);
    if (rc < 0) return rc;
    if (t->name.n == 0) return err_set(e, ERR_PARSE, "line %d: a time interval needs a name", map->line);
    struct yaml *list = yaml_get(map, "time_intervals");
    if (list == NULL) return OK;
    if (list->kind != YAML_LIST || list->n > RANGES_MAX)
        return err_set(e, ERR_PARSE, "line %d: time_intervals is a list of at most %d", list->line,
                       RANGES_MAX);
    t->at = arena_zero(a, list->n * sizeof *t->at);
    for (; t->n < list->n && rc == OK; t->n++) rc = read_span(list->items[t->n], a, &t->at[t->n], e);
    return rc;
}

void time_interval_release(struct time_interval *t)
{
    for (size_t i = 0; i < t->n; i++) zone_free(t->at[i].zone);
    t->n = 0;
}

/* ---- does it hold? ---- */

static bool in_ranges(const struct time_ranges *r, int v)
{
    for (size_t i = 0; i < r->n; i++)
        if (v >= r->at[i].from && v <= r->at[i].to) return true;
    return r->n == 0;
}

static bool in_minutes(const struct time_ranges *r, int minute)
{
    for (size_t i = 0; i < r->n; i++)
        if (minute >= r->at[i].from && minute < r->at[i].to) return true;
    return r->n == 0;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool in_days(const struct time_ranges *r, int day, int last)
{
    for (size_t i = 0; i < r->n; i++) {
        int from = r->at[i].from, to = r->at[i].to;
        if (from < 0) from += last + 1;
        if (to < 0) to += last + 1;
        if (day >= from && day <= to) return true;
    }
    return r->n == 0;
}

static bool span_holds(const struct time_span *s, int64_t now_s)
{
    struct tm t;
    time_t local = (time_t)(now_s + zone_offset_s(s->zone, now_s));
    if (gmtime_r(&local, &t) == NULL) return false;
    int year = t.tm_year + 1900, month = t.tm_mon + 1;
    return in_minutes(&s->minutes, t.tm_hour * 60 + t.tm_min) &&
           in_days(&s->days, t.tm_mday, days_in(year, month)) && in_ranges(&s->months, month) &&
           in_ranges(&s->weekdays, t.tm_wday) && in_ranges(&s->years, year);
}

bool time_interval_holds(const struct time_interval *t, int64_t now_ms)
{
    int64_t now_s = now_ms >= 0 ? now_ms / 1000 : -((-now_ms + 999) / 1000);
    for (size_t i = 0; i < t->n; i++)
        if (span_holds(&t->at[i], now_s)) return true;
    return false;
}
