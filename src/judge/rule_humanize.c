/* rule_humanize.c - numbers, durations and times as people read them: humanize and its sisters. */
#include <math.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/float.h"
#include "judge/rule_functions.h"
#include "query/template_text.h"
#include "query/template_time.h"

int rule_number(struct template_call *c, const struct tvalue *v, double *out)
{
    if (v->type == TV_FLOAT) return *out = v->d, OK;
    if (v->type == TV_INT) return *out = (double)v->i, OK;
    if (v->type == TV_STR && float_parse(v->s, out)) return OK;
    if (v->type == TV_STR)
        return tf_fail(c, "\"%.*s\" is not a number", (int)(v->s.n > 60 ? 60 : v->s.n), v->s.p);
    return tf_fail(c, "can't convert this value to float");
}

/* Four significant digits, with Go's words for what is no number. */
static int put(struct template_call *c, struct tvalue *out, const char *sign, double v, const char *unit,
               const char *tail)
{
    char text[96];
    if (isnan(v) || isinf(v))
        snprintf(text, sizeof text, "%s", isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
    else
        snprintf(text, sizeof text, "%s%.4g%s%s", sign, v, unit, tail);
    *out = tv_str(arena_str(c->arena, str_of(text)));
    return OK;
}

static bool is_special(double v)
{
    return v == 0 || isnan(v) || isinf(v);
}

static const char *shrink(double *v, const char *const *units, size_t n, double by)
{
    const char *unit = "";
    for (size_t i = 0; i < n && fabs(*v) >= by; i++, *v /= by) unit = units[i];
    return unit;
}

static const char *enlarge(double *v)
{
    static const char *const small[] = { "m", "u", "n", "p", "f", "a", "z", "y" };
    const char *unit = "";
    for (size_t i = 0; i < 8 && fabs(*v) < 1; i++, *v *= 1000) unit = small[i];
    return unit;
}

int fn_humanize(struct template_call *c, struct tvalue *out)
{
    static const char *const big[] = { "k", "M", "G", "T", "P", "E", "Z", "Y" };
    double v;
    int rc = rule_number(c, &c->args[0], &v);
    if (rc < 0) return rc;
    if (is_special(v)) return put(c, out, "", v, "", "");
    const char *unit = fabs(v) >= 1 ? shrink(&v, big, 8, 1000) : enlarge(&v);
    return put(c, out, "", v, unit, "");
}

int fn_humanize1024(struct template_call *c, struct tvalue *out)
{
    static const char *const big[] = { "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi" };
    double v;
    int rc = rule_number(c, &c->args[0], &v);
    if (rc < 0) return rc;
    if (fabs(v) <= 1 || is_special(v)) return put(c, out, "", v, "", "");
    const char *unit = shrink(&v, big, 8, 1024);
    return put(c, out, "", v, unit, "");
}

int fn_humanize_duration(struct template_call *c, struct tvalue *out)
{
    double v;
    int rc = rule_number(c, &c->args[0], &v);
    if (rc < 0) return rc;
    if (isnan(v) || isinf(v)) return put(c, out, "", v, "", "");
    if (v == 0) return put(c, out, "", v, "s", "");
    if (fabs(v) < 1) {
        const char *unit = enlarge(&v);
        return put(c, out, "", v, unit, "s");
    }
    const char *sign = v < 0 ? "-" : "";
    v = fabs(v);
    if (v >= 9e18) return tf_fail(c, "%g seconds are too many", v);
    int64_t all = (int64_t)v, days = all / 86400, hours = all / 3600 % 24, minutes = all / 60 % 60;
    struct str text;
    if (days != 0)
        text = arena_printf(c->arena, "%s%lldd %lldh %lldm %llds", sign, (long long)days, (long long)hours,
                            (long long)minutes, (long long)(all % 60));
    else if (hours != 0)
        text = arena_printf(c->arena, "%s%lldh %lldm %llds", sign, (long long)hours, (long long)minutes,
                            (long long)(all % 60));
    else if (minutes != 0)
        text = arena_printf(c->arena, "%s%lldm %llds", sign, (long long)minutes, (long long)(all % 60));
    else
        return put(c, out, sign, v, "s", "");
    *out = tv_str(text);
    return OK;
}

int fn_humanize_percentage(struct template_call *c, struct tvalue *out)
{
    double v;
    int rc = rule_number(c, &c->args[0], &v);
    if (rc < 0 || !(isnan(v) || isinf(v))) return rc < 0 ? rc : put(c, out, "", v * 100, "%", "");
    *out = tv_str(isnan(v) ? STR("NaN%") : v > 0 ? STR("+Inf%") : STR("-Inf%"));
    return OK;
}

#define SECONDS_MAX 9.2e9 /* what fits into nanoseconds */

int fn_to_time(struct template_call *c, struct tvalue *out)
{
    double v;
    int rc = rule_number(c, &c->args[0], &v);
    if (rc < 0) return rc;
    if (isnan(v) || fabs(v) > SECONDS_MAX) return tf_fail(c, "%g is not a time", v);
    *out = tv_time((int64_t)(v * 1e9) / 1000000 * 1000000, 0); /* to the millisecond, as there */
    return OK;
}

int fn_humanize_timestamp(struct template_call *c, struct tvalue *out)
{
    double v;
    int rc = rule_number(c, &c->args[0], &v);
    if (rc < 0) return rc;
    if (isnan(v) || isinf(v)) return put(c, out, "", v, "", "");
    if ((rc = fn_to_time(c, out)) < 0) return rc;
    struct buf text = BUF_INIT(128);
    time_format(&text, STR("2006-01-02 15:04:05.999999999 -0700 MST"), out->time.ns, 0);
    *out = tf_made(c, &text);
    return OK;
}

/* As Go prints a duration: 1h2m3.5s, 1.5ms, 0s. */
int fn_to_duration(struct template_call *c, struct tvalue *out)
{
    double v;
    int rc = rule_number(c, &c->args[0], &v);
    if (rc < 0) return rc;
    if (isnan(v) || fabs(v) > SECONDS_MAX) return tf_fail(c, "%g is not a duration", v);
    const char *sign = v < 0 ? "-" : "";
    v = fabs(v);
    char number[FLOAT_TEXT_MAX];
    if (v == 0) return *out = tv_str(STR("0s")), OK;
    if (v < 1) {
        static const char *const units[] = { "ns", "\xc2\xb5s", "ms" };
        double ns = round(v * 1e9);
        int unit = ns < 1e3 ? 0 : ns < 1e6 ? 1 : 2;
        size_t n = float_text(ns / (unit == 0 ? 1 : unit == 1 ? 1e3 : 1e6), number);
        *out = tv_str(arena_printf(c->arena, "%s%.*s%s", sign, (int)n, number, units[unit]));
        return OK;
    }
    int64_t whole = (int64_t)v, hours = whole / 3600, minutes = whole / 60 % 60;
    double seconds = (double)(whole % 60) + round((v - (double)whole) * 1e9) / 1e9;
    int n = (int)float_text(seconds, number);
    if (hours > 0)
        *out = tv_str(arena_printf(c->arena, "%s%lldh%lldm%.*ss", sign, (long long)hours, (long long)minutes,
                                   n, number));
    else if (minutes > 0)
        *out = tv_str(arena_printf(c->arena, "%s%lldm%.*ss", sign, (long long)minutes, n, number));
    else
        *out = tv_str(arena_printf(c->arena, "%s%.*ss", sign, n, number));
    return OK;
}

int fn_parse_duration(struct template_call *c, struct tvalue *out)
{
    struct str s = tf_arg(c, 0);
    int64_t ms;
    if (!duration_parse_ms(s, &ms))
        return tf_fail(c, "not a valid duration string: \"%.*s\"", (int)(s.n > 60 ? 60 : s.n), s.p);
    *out = tv_float((double)ms / 1000);
    return OK;
}
