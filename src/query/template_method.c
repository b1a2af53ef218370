/* template_method.c - what templates can call on values: on times and durations as Go's package time has it,
 * and on whatever brings methods of its own. */
#include "base/check.h"
#include "query/template_impl.h"
#include "query/template_time.h"

#define SECOND_NS ((int64_t)1000000000)

/* ---- durations ---- */

static void put_fraction(struct buf *out, uint64_t whole, uint64_t part, unsigned digits)
{
    buf_u64(out, whole);
    if (part == 0) return;
    char text[16];
    for (unsigned i = digits; i-- > 0; part /= 10) text[i] = (char)('0' + part % 10);
    while (text[digits - 1] == '0') digits--;
    buf_char(out, '.');
    buf_add(out, text, digits);
}

void tv_print_duration(struct buf *out, int64_t ns)
{
    uint64_t n = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, s = n / (uint64_t)SECOND_NS;
    if (n == 0) return buf_cs(out, "0s");
    if (ns < 0) buf_char(out, '-');
    if (n < 1000) return buf_u64(out, n), buf_cs(out, "ns");
    if (n < 1000000) return put_fraction(out, n / 1000, n % 1000, 3), buf_cs(out, "µs");
    if (s == 0) return put_fraction(out, n / 1000000, n % 1000000, 6), buf_cs(out, "ms");
    if (s >= 3600) buf_printf(out, "%lluh", (unsigned long long)(s / 3600));
    if (s >= 60) buf_printf(out, "%llum", (unsigned long long)(s / 60 % 60));
    put_fraction(out, s % 60, n % (uint64_t)SECOND_NS, 9);
    buf_char(out, 's');
}

static int no_args(struct template_call *c, size_t wanted)
{
    return c->n == wanted ? OK : tf_fail(c, "wrong number of args: want %zu got %zu", wanted, c->n);
}

/* To the nearest multiple, away from zero, or towards zero. */
static int64_t multiple(int64_t ns, int64_t of, bool round)
{
    if (of <= 0) return ns;
    int64_t rest = ns % of, whole = ns - rest;
    bool away = round && (rest < 0 ? -rest : rest) >= of - (rest < 0 ? -rest : rest);
    if (!away) return whole;
    return __builtin_add_overflow(whole, rest < 0 ? -of : of, &whole) ? ns : whole;
}

static int duration_method(struct template_call *c, int64_t ns, struct str name, struct tvalue *out)
{
    static const struct {
        const char *name;
        double by;
    } units[] = { { "Hours", 3600e9 }, { "Minutes", 60e9 }, { "Seconds", 1e9 } };
    for (size_t i = 0; i < COUNT(units); i++)
        if (str_is(name, units[i].name)) return *out = tv_float((double)ns / units[i].by), no_args(c, 0);
    if (str_is(name, "Milliseconds")) return *out = tv_int(ns / 1000000), no_args(c, 0);
    if (str_is(name, "Nanoseconds")) return *out = tv_int(ns), no_args(c, 0);
    if (str_is(name, "String")) return *out = tv_str(tv_text(tv_duration(ns), c->arena)), no_args(c, 0);
    bool round = str_is(name, "Round");
    if (!round && !str_is(name, "Truncate")) return ERR_FIND;
    if (c->n != 1 || c->args[0].type != TV_INT) return tf_fail(c, "expected a duration");
    *out = tv_duration(multiple(ns, c->args[0].i, round));
    return OK;
}

/* ---- times ---- */

static int format_time(struct template_call *c, struct tvalue t, struct tvalue *out)
{
    struct buf b = BUF_INIT(4096);
    if (c->n != 1 || c->args[0].type != TV_STR) return tf_fail(c, "expected a layout");
    time_format(&b, c->args[0].s, t.time.ns, t.time.offset_s);
    *out = tv_str(arena_str(c->arena, buf_view(&b)));
    buf_release(&b);
    return OK;
}

/* A time's part, by the layout that prints it. */
static int part_of(struct template_call *c, struct tvalue t, const char *layout, struct tvalue *out)
{
    struct buf b = BUF_INIT(64);
    int64_t n = 0;
    time_format(&b, str_of(layout), t.time.ns, t.time.offset_s);
    *out = str_to_i64(buf_view(&b), &n) ? tv_int(n) : tv_str(arena_str(c->arena, buf_view(&b)));
    buf_release(&b);
    return no_args(c, 0);
}

static int compare_times(struct template_call *c, struct tvalue t, struct str name, struct tvalue *out)
{
    if (c->n != 1 || c->args[0].type != TV_TIME) return tf_fail(c, "expected a time");
    int64_t other = c->args[0].time.ns, difference;
    if (str_is(name, "After")) return *out = tv_bool(t.time.ns > other), OK;
    if (str_is(name, "Before")) return *out = tv_bool(t.time.ns < other), OK;
    if (str_is(name, "Equal")) return *out = tv_bool(t.time.ns == other), OK;
    if (__builtin_sub_overflow(t.time.ns, other, &difference))
        difference = t.time.ns > other ? INT64_MAX : INT64_MIN;
    *out = tv_duration(difference);
    return OK;
}

static int add_to_time(struct template_call *c, struct tvalue t, struct tvalue *out)
{
    int64_t sum;
    if (c->n != 1 || c->args[0].type != TV_INT || __builtin_add_overflow(t.time.ns, c->args[0].i, &sum))
        return tf_fail(c, "expected a duration within range");
    *out = tv_time(sum, t.time.offset_s);
    return OK;
}

static int time_method(struct template_call *c, struct tvalue t, struct str name, struct tvalue *out)
{
    static const struct {
        const char *name, *layout;
    } layouts[] = { { "Year", "2006" }, { "Day", "2" },         { "Hour", "15" },       { "Minute", "4" },
                    { "Second", "5" },  { "Month", "January" }, { "Weekday", "Monday" } };
    static const char *const comparisons[] = { "After", "Before", "Equal", "Sub" };
    if (str_is(name, "Format")) return format_time(c, t, out);
    if (str_is(name, "Unix")) return *out = tv_int(t.time.ns / SECOND_NS), no_args(c, 0);
    if (str_is(name, "UnixMilli")) return *out = tv_int(t.time.ns / 1000000), no_args(c, 0);
    if (str_is(name, "UnixNano")) return *out = tv_int(t.time.ns), no_args(c, 0);
    if (str_is(name, "UTC") || str_is(name, "Local")) return *out = tv_time(t.time.ns, 0), no_args(c, 0);
    if (str_is(name, "IsZero")) return *out = tv_bool(t.time.ns == 0), no_args(c, 0);
    if (str_is(name, "String")) return *out = tv_str(tv_text(t, c->arena)), no_args(c, 0);
    if (str_is(name, "Add")) return add_to_time(c, t, out);
    for (size_t i = 0; i < COUNT(layouts); i++)
        if (str_is(name, layouts[i].name)) return part_of(c, t, layouts[i].layout, out);
    for (size_t i = 0; i < COUNT(comparisons); i++)
        if (str_is(name, comparisons[i])) return compare_times(c, t, name, out);
    return ERR_FIND;
}

int tv_method(struct template_call *c, struct tvalue self, struct str name, struct tvalue *out)
{
    if (self.type == TV_TIME) return time_method(c, self, name, out);
    if (self.type == TV_INT && self.kind == TK_DURATION) return duration_method(c, self.i, name, out);
    const struct tmethods *m = self.type == TV_LIST  ? self.list.methods
                               : self.type == TV_MAP ? self.map.methods
                                                     : NULL;
    return m != NULL ? m->call(c, self, name, out) : ERR_FIND;
}
