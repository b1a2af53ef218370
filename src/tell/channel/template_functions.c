/* template_functions.c - Alertmanager's functions for templates; after them Sprig's, of which we have many
 * anyway. */
#include "tell/channel/template_functions.h"

#include "base/check.h"
#include "base/json.h"
#include "base/regex.h"
#include "query/template_text.h"
#include "query/template_time.h"
#include "tell/notify/zone.h"

/* ---- texts ---- */

static int fn_join(struct template_call *c, struct tvalue *out) /* separator list */
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    struct str separator = tf_arg(c, 0);
    if (c->args[1].type != TV_LIST) return tf_fail(c, "expected a list");
    for (size_t i = 0; i < c->args[1].list.n; i++) {
        if (i > 0) buf_str(&b, separator);
        tv_print(&b, c->args[1].list.at[i]);
    }
    *out = tf_made(c, &b);
    return OK;
}

static int regex_of(struct template_call *c, struct regex **out)
{
    struct err why = ERR_INIT;
    return regex_new_search(tf_arg(c, 0), out, &why) < 0 ? tf_fail(c, "%s", why.text) : OK;
}

static int fn_match(struct template_call *c, struct tvalue *out) /* pattern text */
{
    struct regex *re;
    int rc = regex_of(c, &re);
    if (rc < 0) return rc;
    *out = tv_bool(regex_match(re, tf_arg(c, 1)));
    regex_free(re);
    return OK;
}

static void replace_all(const struct regex *re, struct str s, struct str with, struct buf *out)
{
    struct str groups[REGEX_CAPTURES_MAX];
    size_t n = MIN(regex_groups(re) + 1, (size_t)REGEX_CAPTURES_MAX), at = 0;
    for (size_t from = 0; from <= s.n && !out->full && regex_find(re, s, from, groups, n);) {
        size_t begin = (size_t)(groups[0].p - s.p);
        buf_add(out, s.p + at, begin - at);
        regex_expand(re, s, groups, n, with, out);
        at = begin + groups[0].n;
        from = groups[0].n > 0 ? at : at + 1; /* an empty match is found once */
        if (groups[0].n == 0 && at < s.n) buf_char(out, s.p[at++]);
    }
    buf_add(out, s.p + at, s.n - at);
}

static int fn_replace_all(struct template_call *c, struct tvalue *out) /* pattern replacement text */
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    struct regex *re;
    int rc = regex_of(c, &re);
    if (rc < 0) return rc;
    replace_all(re, tf_arg(c, 2), tf_arg(c, 1), &b);
    regex_free(re);
    *out = tf_made(c, &b);
    return OK;
}

static int fn_safe(struct template_call *c, struct tvalue *out)
{
    *out = tv_str(tf_arg(c, 0));
    out->kind = str_is(str_of(c->name), "safeUrl") ? TK_URL : TK_HTML;
    return OK;
}

/* ---- lists and maps ---- */

static int fn_list(struct template_call *c, struct tvalue *out)
{
    struct tvalue *items = arena_array(c->arena, c->n + 1, sizeof *items);
    for (size_t i = 0; i < c->n; i++) items[i] = c->args[i];
    *out = (struct tvalue){ .type = TV_LIST, .list = { items, c->n, NULL } };
    return OK;
}

static int fn_append(struct template_call *c, struct tvalue *out) /* list item ... */
{
    if (c->args[0].type != TV_LIST) return tf_fail(c, "expected a list");
    size_t n = c->args[0].list.n;
    struct tvalue *items = arena_array(c->arena, n + c->n, sizeof *items);
    for (size_t i = 0; i < n; i++) items[i] = c->args[0].list.at[i];
    for (size_t i = 1; i < c->n; i++) items[n++] = c->args[i];
    *out = (struct tvalue){ .type = TV_LIST, .list = { items, n, NULL } };
    return OK;
}

static int fn_dict(struct template_call *c, struct tvalue *out) /* key value ... */
{
    if (c->n % 2 != 0) return tf_fail(c, "expected keys and values in turn");
    struct tentry *entries = arena_array(c->arena, c->n + 1, sizeof *entries);
    size_t n = 0;
    for (size_t i = 0; i < c->n; i += 2) {
        if (c->args[i].type != TV_STR) return tf_fail(c, "a key must be a text");
        struct str key = c->args[i].s;
        size_t at = 0, same;
        while (at < n && str_cmp(entries[at].key, key) < 0) at++;
        same = at < n && str_eq(entries[at].key, key);
        if (!same) memmove(entries + at + 1, entries + at, (n++ - at) * sizeof *entries);
        entries[at] = (struct tentry){ key, c->args[i + 1] };
    }
    *out = (struct tvalue){ .type = TV_MAP, .map = { entries, n, NULL } };
    return OK;
}

/* ---- JSON ---- */

static void put_json(struct json_writer *w, struct tvalue v, struct arena *a);

/* A struct's names begin in lower case: externalURL, startsAt. */
static struct str json_name(struct tvalue map, struct str key, struct arena *a)
{
    if (!notify_is_struct(map) || key.n == 0) return key;
    struct str name = arena_str(a, key);
    char *copy = arena_alloc(a, name.n);
    memcpy(copy, name.p, name.n);
    copy[0] = (char)(copy[0] | 0x20);
    return str_make(copy, name.n);
}

static void put_json_map(struct json_writer *w, struct tvalue v, struct arena *a)
{
    json_begin_object(w);
    for (size_t i = 0; i < v.map.n; i++) {
        json_put_key(w, json_name(v, v.map.at[i].key, a));
        put_json(w, v.map.at[i].value, a);
    }
    json_end_object(w);
}

static void put_json(struct json_writer *w, struct tvalue v, struct arena *a)
{
    struct buf b = BUF_INIT(128);
    if (w->depth >= JSON_DEPTH_MAX - 1) return json_put_null(w);
    switch (v.type) {
    case TV_NIL:
    case TV_LOOKUP: json_put_null(w); break;
    case TV_BOOL: json_put_bool(w, v.b); break;
    case TV_INT: json_put_i64(w, v.i); break;
    case TV_FLOAT: json_put_double(w, v.d); break;
    case TV_STR: json_put_string(w, v.s); break;
    case TV_TIME:
        time_format(&b, STR("2006-01-02T15:04:05.999999999Z07:00"), v.time.ns, v.time.offset_s);
        json_put_string(w, v.time.ns == 0 ? STR("0001-01-01T00:00:00Z") : buf_view(&b));
        break;
    case TV_LIST:
        json_begin_array(w);
        for (size_t i = 0; i < v.list.n; i++) put_json(w, v.list.at[i], a);
        json_end_array(w);
        break;
    case TV_MAP: put_json_map(w, v, a); break;
    }
    buf_release(&b);
}

static int fn_to_json(struct template_call *c, struct tvalue *out)
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    struct json_writer w;
    json_writer_init(&w, &b);
    put_json(&w, c->args[0], c->arena);
    *out = tf_made(c, &b);
    return OK;
}

/* ---- times ---- */

static int fn_date(struct template_call *c, struct tvalue *out) /* layout time */
{
    struct buf b = BUF_INIT(4096);
    if (c->args[1].type != TV_TIME) return tf_fail(c, "expected a time");
    time_format(&b, tf_arg(c, 0), c->args[1].time.ns, c->args[1].time.offset_s);
    *out = tf_made(c, &b);
    return OK;
}

static int fn_now(struct template_call *c, struct tvalue *out)
{
    *out = tv_time(((const struct template_host *)c->host)->now_ms * 1000000, 0);
    return OK;
}

static int fn_since(struct template_call *c, struct tvalue *out)
{
    struct tvalue now;
    int64_t ns;
    if (c->args[0].type != TV_TIME) return tf_fail(c, "expected a time");
    fn_now(c, &now);
    if (__builtin_sub_overflow(now.time.ns, c->args[0].time.ns, &ns)) return tf_fail(c, "out of range");
    *out = tv_duration(ns);
    return OK;
}

static int fn_tz(struct template_call *c, struct tvalue *out) /* name time */
{
    struct err why = ERR_INIT;
    struct zone *zone;
    if (c->args[1].type != TV_TIME) return tf_fail(c, "expected a time");
    int64_t ns = c->args[1].time.ns;
    if (zone_load(tf_arg(c, 0), &zone, &why) < 0) return tf_fail(c, "%s", why.text);
    *out = tv_time(ns, zone_offset_s(zone, ns / 1000000000));
    zone_free(zone);
    return OK;
}

static struct str less_than_a_minute(struct arena *a, const char *sign, double s)
{
    static const char *const units[] = { "s", "ms", "us", "ns" };
    size_t unit = 0;
    for (; s > 0 && s < 1 && unit + 1 < COUNT(units); unit++) s *= 1000;
    return arena_printf(a, "%s%.4g%s", sign, s, units[unit]);
}

/* Days, hours, minutes and seconds of a number of seconds, as Prometheus' function of this name. */
static int fn_humanize_duration(struct template_call *c, struct tvalue *out)
{
    struct tvalue v = c->args[0];
    double s = v.type == TV_INT && v.kind == TK_DURATION ? (double)v.i / 1e9 : tv_cast_float(v);
    const char *sign = s < 0 ? "-" : "";
    s = s < 0 ? -s : s;
    if (!(s < 9e15)) return tf_fail(c, "%g seconds are too many", s); /* NaN as well */
    long long all = (long long)s, days = all / 86400, hours = all / 3600 % 24, minutes = all / 60 % 60;
    if (days > 0)
        *out =
            tv_str(arena_printf(c->arena, "%s%lldd %lldh %lldm %llds", sign, days, hours, minutes, all % 60));
    else if (hours > 0)
        *out = tv_str(arena_printf(c->arena, "%s%lldh %lldm %llds", sign, hours, minutes, all % 60));
    else if (minutes > 0)
        *out = tv_str(arena_printf(c->arena, "%s%lldm %llds", sign, minutes, all % 60));
    else
        *out = tv_str(less_than_a_minute(c->arena, sign, s));
    return OK;
}

/* ---- the table ---- */

/* Sprig's functions under the names of Alertmanager's. */
static int by_name(struct template_call *c, struct tvalue *out)
{
    static const struct {
        const char *name, *sprig;
    } same[] = { { "toUpper", "upper" },         { "toLower", "lower" },       { "trimSpace", "trim" },
                 { "urlUnescape", "urldecode" }, { "base64encode", "b64enc" }, { "base64decode", "b64dec" },
                 { "mustToDate", "toDate" } };
    const struct template_functions *const tables[] = { &template_texts, &template_times };
    const char *wanted = "";
    for (size_t i = 0; i < COUNT(same); i++)
        if (strcmp(c->name, same[i].name) == 0) wanted = same[i].sprig;
    for (size_t k = 0; k < COUNT(tables); k++)
        for (size_t i = 0; i < tables[k]->n; i++)
            if (strcmp(tables[k]->at[i].name, wanted) == 0) return tables[k]->at[i].fn(c, out);
    return tf_fail(c, "unknown");
}

static const struct template_function functions[] = {
    { "toUpper", 1, 1, by_name },      { "toLower", 1, 1, by_name },
    { "trimSpace", 1, 1, by_name },    { "join", 2, 2, fn_join },
    { "match", 2, 2, fn_match },       { "reReplaceAll", 3, 3, fn_replace_all },
    { "safeHtml", 1, 1, fn_safe },     { "safeUrl", 1, 1, fn_safe },
    { "urlUnescape", 1, 1, by_name },  { "stringSlice", 0, -1, fn_list },
    { "list", 0, -1, fn_list },        { "append", 1, -1, fn_append },
    { "dict", 0, -1, fn_dict },        { "toJson", 1, 1, fn_to_json },
    { "base64encode", 1, 1, by_name }, { "base64decode", 1, 1, by_name },
    { "date", 2, 2, fn_date },         { "tz", 2, 2, fn_tz },
    { "now", 0, 0, fn_now },           { "since", 1, 1, fn_since },
    { "mustToDate", 2, 2, by_name },   { "humanizeDuration", 1, 1, fn_humanize_duration },
};

const struct template_functions *notify_functions(void)
{
    static const struct template_functions table = { functions, COUNT(functions), &template_texts };
    return &table;
}
