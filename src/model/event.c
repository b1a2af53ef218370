#include "model/event.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/float.h"
#include "model/event_kg.h"
#include "model/event_kinds.h"

static const struct {
    const struct event_kind *at;
    const size_t *n;
} tables[] = {
    { event_kinds_lb, &event_kinds_lb_count },
    { event_kinds_mcp, &event_kinds_mcp_count },
    { event_kinds_agents, &event_kinds_agents_count },
    { event_kinds_kg, &event_kinds_kg_count },
};

static const char *const type_names[] = { "text", "number", "integer", "boolean", "time", "list", "object" };

const char *event_type_name(enum event_type t)
{
    return type_names[t];
}

const struct event_kind *event_kind_at(size_t i)
{
    for (size_t t = 0; t < COUNT(tables); t++) {
        if (i < *tables[t].n) return &tables[t].at[i];
        i -= *tables[t].n;
    }
    return NULL;
}

const struct event_kind *event_kind_find(struct str name)
{
    const struct event_kind *k = NULL;
    if (!str_starts(name, "vedette.")) return NULL;
    for (size_t i = 0; (k = event_kind_at(i)) != NULL; i++)
        if (str_is(name, k->name)) return k;
    return NULL;
}

size_t event_field_at(const struct event_kind *k, struct str name)
{
    for (size_t i = 0; i < k->n_fields; i++)
        if (str_is(name, k->fields[i].name)) return i;
    return SIZE_MAX;
}

bool event_has_word(const char *words, struct str word)
{
    struct str rest = str_of(words);
    while (rest.n > 0) {
        struct str one = str_cut(rest, '|', &rest);
        if (str_eq(one, word)) return true;
    }
    return false;
}

/* ---- checking ---- */

__attribute__((format(printf, 4, 5))) static bool wrong(struct event_fault *f, const struct event_kind *k,
                                                        size_t field, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(f->why, sizeof f->why, "%s: ", k->fields[field].name);
    f->field = field;
    va_start(ap, fmt);
    vsnprintf(f->why + n, sizeof f->why - (size_t)n, fmt, ap);
    va_end(ap);
    return false;
}

static bool has_type(enum event_type t, struct value v)
{
    switch (t) {
    case EVENT_TEXT: return v.type == VALUE_STR;
    case EVENT_NUMBER: return v.type == VALUE_INT || v.type == VALUE_DOUBLE;
    case EVENT_INT: return v.type == VALUE_INT || (v.type == VALUE_DOUBLE && v.d == floor(v.d));
    case EVENT_BOOL: return v.type == VALUE_BOOL;
    case EVENT_TIME: return v.type == VALUE_INT || v.type == VALUE_DOUBLE || v.type == VALUE_STR;
    case EVENT_LIST: return v.type == VALUE_JSON && v.text.n > 0 && v.text.p[0] == '[';
    case EVENT_OBJECT: return v.type == VALUE_JSON && v.text.n > 0 && v.text.p[0] == '{';
    }
    return false;
}

static bool check_number(const struct event_kind *k, size_t i, struct value v, struct event_fault *f)
{
    const struct event_field *d = &k->fields[i];
    double x = event_number(v);
    char got[FLOAT_TEXT_MAX], low[FLOAT_TEXT_MAX], high[FLOAT_TEXT_MAX];
    if (!isfinite(x)) return wrong(f, k, i, "expected a finite number");
    if ((d->min == 0 && d->max == 0) || (x >= d->min && x <= d->max)) return true;
    int n_got = (int)float_text(x, got), n_low = (int)float_text(d->min, low);
    if (isinf(d->max)) return wrong(f, k, i, "expected %.*s or more, got %.*s", n_low, low, n_got, got);
    int n_high = (int)float_text(d->max, high);
    return wrong(f, k, i, "expected %.*s to %.*s, got %.*s", n_low, low, n_high, high, n_got, got);
}

static bool check_field(const struct event_kind *k, size_t i, struct value v, struct event_fault *f)
{
    const struct event_field *d = &k->fields[i];
    if (d->need == EVENT_DERIVED) return true;
    if (v.type == VALUE_NONE) return d->need == EVENT_OPTIONAL || wrong(f, k, i, "missing");
    if (!has_type(d->type, v)) return wrong(f, k, i, "expected %s", event_type_name(d->type));
    if (d->type == EVENT_NUMBER || d->type == EVENT_INT) return check_number(k, i, v, f);
    if (d->type != EVENT_TEXT) return true;
    if (d->need == EVENT_REQUIRED && v.text.n == 0) return wrong(f, k, i, "empty");
    return d->words == NULL || event_has_word(d->words, v.text) ||
           wrong(f, k, i, "expected one of %s, got \"%.*s\"", d->words, (int)MIN(v.text.n, (size_t)40),
                 v.text.p);
}

bool event_check(const struct event_kind *k, const struct value *values, struct event_fault *f)
{
    for (size_t i = 0; i < k->n_fields; i++)
        if (!check_field(k, i, values[i], f)) return false;
    return k->check == NULL || (k->check)(values, f);
}

void event_trace_id(const char *of, struct str id, uint8_t trace_id[16])
{
    struct hash128 h = hash128_seed(id.p, id.n, hash64(of, strlen(of)));
    memcpy(trace_id, &h, 16);
    trace_id[0] |= 1; /* all zeros is no id */
}
