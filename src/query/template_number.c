/* template_number.c - functions on numbers and times, as Sprig names them. */
#include <math.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/float.h"
#include "query/template_text.h"
#include "query/template_time.h"

static int64_t int_of(double d)
{
    return d >= -0x1p63 && d < 0x1p63 ? (int64_t)d : 0; /* NaN too */
}

double tv_cast_float(struct tvalue v)
{
    double d;
    switch (v.type) {
    case TV_INT: return (double)v.i;
    case TV_FLOAT: return v.d;
    case TV_BOOL: return v.b;
    case TV_STR: return float_parse(str_trim(v.s), &d) ? d : 0;
    default: return 0;
    }
}

int64_t tv_cast_int(struct tvalue v)
{
    int64_t i;
    if (v.type == TV_INT) return v.i;
    if (v.type == TV_STR && str_to_i64(str_trim(v.s), &i)) return i;
    return int_of(tv_cast_float(v));
}

static int fn_int(struct template_call *c, struct tvalue *out)
{
    *out = tv_int(tv_cast_int(c->args[0]));
    return OK;
}

static int fn_float64(struct template_call *c, struct tvalue *out)
{
    *out = tv_float(tv_cast_float(c->args[0]));
    return OK;
}

/* add, sub, mul, div, mod, max, min: told apart by name; whole numbers wrap, as Go's do. */
static int fn_whole(struct template_call *c, struct tvalue *out)
{
    struct str name = str_of(c->name);
    int64_t sum = tv_cast_int(c->args[0]);
    bool divides = str_is(name, "div") || str_is(name, "mod");
    for (size_t i = 1; i < c->n; i++) {
        int64_t v = tv_cast_int(c->args[i]);
        if (divides && v == 0) return tf_fail(c, "integer divide by zero");
        if (str_is(name, "add")) sum = (int64_t)((uint64_t)sum + (uint64_t)v);
        if (str_is(name, "sub")) sum = (int64_t)((uint64_t)sum - (uint64_t)v);
        if (str_is(name, "mul")) sum = (int64_t)((uint64_t)sum * (uint64_t)v);
        if (str_is(name, "div")) sum = v == -1 ? (int64_t)(0 - (uint64_t)sum) : sum / v;
        if (str_is(name, "mod")) sum = v == -1 ? 0 : sum % v;
        if (str_is(name, "max")) sum = MAX(sum, v);
        if (str_is(name, "min")) sum = MIN(sum, v);
    }
    *out = tv_int(sum);
    return OK;
}

static int fn_floats(struct template_call *c, struct tvalue *out)
{
    struct str name = str_of(c->name);
    double sum = tv_cast_float(c->args[0]);
    for (size_t i = 1; i < c->n; i++) {
        double v = tv_cast_float(c->args[i]);
        if (str_is(name, "addf")) sum += v;
        if (str_is(name, "subf")) sum -= v;
        if (str_is(name, "mulf")) sum *= v;
        if (str_is(name, "divf")) sum /= v;
        if (str_is(name, "maxf")) sum = fmax(sum, v);
        if (str_is(name, "minf")) sum = fmin(sum, v);
    }
    *out = tv_float(sum);
    return OK;
}

static int fn_ceil(struct template_call *c, struct tvalue *out)
{
    double v = tv_cast_float(c->args[0]);
    *out = tv_float(c->name[0] == 'c' ? ceil(v) : floor(v));
    return OK;
}

/* round value digits [from]: up from `from`, which is .5 when it is not given. */
static int fn_round(struct template_call *c, struct tvalue *out)
{
    double v = tv_cast_float(c->args[0]), on = c->n > 2 ? tv_cast_float(c->args[2]) : 0.5;
    double scale = pow(10, (double)MAX(-300, MIN(tv_cast_int(c->args[1]), 300))), digit = scale * v;
    double whole, rest = modf(digit, &whole);
    *out = tv_float((fabs(rest) >= on ? (v < 0 ? floor(digit) : ceil(digit)) : whole) / scale);
    return OK;
}

static const struct template_function numbers[] = {
    { "int", 1, 1, fn_int },      { "float64", 1, 1, fn_float64 }, { "add", 1, -1, fn_whole },
    { "sub", 2, 2, fn_whole },    { "mul", 1, -1, fn_whole },      { "div", 2, 2, fn_whole },
    { "mod", 2, 2, fn_whole },    { "max", 1, -1, fn_whole },      { "min", 1, -1, fn_whole },
    { "addf", 1, -1, fn_floats }, { "subf", 1, -1, fn_floats },    { "mulf", 1, -1, fn_floats },
    { "divf", 1, -1, fn_floats }, { "maxf", 1, -1, fn_floats },    { "minf", 1, -1, fn_floats },
    { "ceil", 1, 1, fn_ceil },    { "floor", 1, 1, fn_ceil },      { "round", 2, 3, fn_round },
};

const struct template_functions template_numbers = { numbers, COUNT(numbers), &template_times };

/* ---- times ---- */

/* A time as it is; a number counts seconds since 1970. */
static int64_t cast_time(struct tvalue v, int *offset_s)
{
    *offset_s = v.type == TV_TIME ? v.time.offset_s : 0;
    if (v.type == TV_TIME) return v.time.ns;
    double ns = tv_cast_float(v) * 1e9;
    return int_of(ns);
}

static int fn_date(struct template_call *c, struct tvalue *out) /* layout time */
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    int offset_s;
    int64_t ns = cast_time(c->args[1], &offset_s);
    time_format(&b, tf_arg(c, 0), ns, offset_s);
    *out = tf_made(c, &b);
    return OK;
}

/* What cannot be read is year 1, as Go's zero time; the nearest we have is 1970. */
static int fn_to_date(struct template_call *c,
                      struct tvalue *out) /* toDate layout text; toDateInZone layout zone text */
{
    int offset_s = 0;
    int64_t ns;
    if (c->n == 3 && !time_zone_offset(tf_arg(c, 1), &offset_s))
        return tf_fail(c, "unknown time zone %.*s: only UTC, Local and offsets like +02:00 are known",
                       STR_ARG(tf_arg(c, 1)));
    *out = tv_time(time_parse(tf_arg(c, 0), tf_arg(c, c->n - 1), offset_s, &ns) ? ns : 0, offset_s);
    return OK;
}

static int fn_now(struct template_call *c, struct tvalue *out)
{
    (void)c;
    *out = tv_time(clock_now_ms() * 1000000, 0);
    return OK;
}

static int fn_epoch(struct template_call *c, struct tvalue *out)
{
    int offset_s;
    int64_t ns = cast_time(c->args[0], &offset_s), unit = 1;
    if (str_is(str_of(c->name), "unixEpoch")) unit = 1000000000;
    if (str_is(str_of(c->name), "unixEpochMillis")) unit = 1000000;
    struct buf b = BUF_INIT(64);
    buf_i64(&b, (ns - (ns % unit < 0 ? unit : 0)) / unit);
    *out = tf_made(c, &b);
    return OK;
}

/* Seconds, milliseconds, microseconds or nanoseconds, by the number of digits. */
static int fn_unix_to_time(struct template_call *c, struct tvalue *out)
{
    struct str s = str_trim(tf_arg(c, 0));
    int64_t v, unit;
    if (!str_to_i64(s, &v)) return tf_fail(c, "no number: %.*s", (int)MIN(s.n, (size_t)60), s.p);
    switch (s.n) {
    case 5: unit = (int64_t)86400 * 1000000000; break; /* days */
    case 10: unit = 1000000000; break;
    case 13: unit = 1000000; break;
    case 16: unit = 1000; break;
    case 19: unit = 1; break;
    default: return tf_fail(c, "a time of 5, 10, 13, 16 or 19 digits is needed, not %zu", s.n);
    }
    if (__builtin_mul_overflow(v, unit, &v)) return tf_fail(c, "time out of range");
    *out = tv_time(v, 0);
    return OK;
}

static const struct template_function times[] = {
    { "date", 2, 2, fn_date },
    { "toDate", 2, 2, fn_to_date },
    { "toDateInZone", 3, 3, fn_to_date },
    { "now", 0, 0, fn_now },
    { "unixEpoch", 1, 1, fn_epoch },
    { "unixEpochMillis", 1, 1, fn_epoch },
    { "unixEpochNanos", 1, 1, fn_epoch },
    { "unixToTime", 1, 1, fn_unix_to_time },
};

const struct template_functions template_times = { times, COUNT(times), NULL };
