/* log_filter.c - see log_filter.h. */
#include "tell/log_filter.h"

#include <stdlib.h>

#include "base/check.h"
#include "decode/severity.h"

#define FILTER_ARENA (4u << 20)
#define SEVERITY_END 24

static int add(struct log_filter *f, const struct predicate *p, struct err *e)
{
    if (++f->n_terms > LOG_FILTER_TERMS_MAX)
        return err_set(e, ERR_LIMIT, "at most %d conditions", LOG_FILTER_TERMS_MAX);
    f->where = predicate_and(&f->arena, f->where, p);
    return OK;
}

/* ---- regular expressions ---- */

static int regex_keep(struct log_filter *f, struct str text, struct regex **out, struct err *e)
{
    if (f->n_re == LOG_FILTER_TERMS_MAX)
        return err_set(e, ERR_LIMIT, "at most %d regular expressions", LOG_FILTER_TERMS_MAX);
    int rc = regex_new_search(text, out, e);
    if (rc == OK) f->re[f->n_re++] = *out;
    return rc;
}

/* ---- fields by name ---- */

static const struct {
    const char *name;
    enum intrinsic in;
} fixed[] = {
    { "message", IN_BODY },
    { "body", IN_BODY },
    { "event_name", IN_EVENT_NAME },
    { "severity_number", IN_SEVERITY },
    { "severity_text", IN_SEVERITY_TEXT },
    { "scope_name", IN_SCOPE_NAME },
};

/* A name without a prefix is looked for among the record's attributes and its resource's. */
static size_t fields_of(struct str name, struct field out[2])
{
    for (size_t i = 0; i < COUNT(fixed); i++)
        if (str_is(name, fixed[i].name)) {
            out[0] = field_in(fixed[i].in);
            return 1;
        }
    if (str_starts(name, "resource.") && name.n > 9) {
        out[0] = field_attr(FIELD_RESOURCE, str_make(name.p + 9, name.n - 9));
        return 1;
    }
    if (str_starts(name, "attr.") && name.n > 5) {
        out[0] = field_attr(FIELD_ATTR, str_make(name.p + 5, name.n - 5));
        return 1;
    }
    out[0] = field_attr(FIELD_ATTR, name);
    out[1] = field_attr(FIELD_RESOURCE, name);
    return 2;
}

/* ---- one comparison ---- */

enum relation { REL_EQ, REL_NE, REL_RE, REL_NOT_RE, REL_GE, REL_GT, REL_LE, REL_LT };

static const struct {
    const char *text;
    enum relation relation;
} relations[] = { /* the longer ones first */
                  { "!=", REL_NE }, { "=~", REL_RE }, { "!~", REL_NOT_RE }, { ">=", REL_GE },
                  { "<=", REL_LE }, { "=", REL_EQ },  { ">", REL_GT },      { "<", REL_LT }
};

static bool number_of(struct str s, double *out)
{
    char text[64], *end;
    if (s.n == 0 || s.n >= sizeof text) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    *out = strtod(text, &end);
    return *end == 0;
}

static const struct predicate *equal(struct arena *a, struct field f, struct str text)
{
    const struct predicate *p = predicate_cmp(a, PRED_EQ, f, value_str(text));
    int64_t i;
    double d;
    if (str_to_i64(text, &i))
        p = predicate_or(a, p, predicate_cmp(a, PRED_EQ, f, value_int(i)));
    else if (number_of(text, &d))
        p = predicate_or(a, p, predicate_cmp(a, PRED_EQ, f, value_double(d)));
    if (str_is(text, "true") || str_is(text, "false"))
        p = predicate_or(a, p, predicate_cmp(a, PRED_EQ, f, value_bool(text.n == 4)));
    return p;
}

static int compare(struct log_filter *f, struct field field, enum relation r, struct str text,
                   const struct predicate **out, struct err *e)
{
    static const enum predicate_op ops[] = {
        [REL_GE] = PRED_GE, [REL_GT] = PRED_GT, [REL_LE] = PRED_LE, [REL_LT] = PRED_LT
    };
    struct regex *re;
    double d;

    if (r == REL_EQ || r == REL_NE) {
        *out = equal(&f->arena, field, text);
        return OK;
    }
    if (r == REL_RE || r == REL_NOT_RE) {
        int rc = regex_keep(f, text, &re, e);
        if (rc == OK) *out = predicate_regex(&f->arena, field, re);
        return rc;
    }
    struct value v = number_of(text, &d) ? value_double(d) : value_str(text);
    *out = predicate_cmp(&f->arena, ops[r], field, v);
    return OK;
}

static const char *relation_find(struct str term, enum relation *r, size_t *n)
{
    for (const char *p = term.p; p < term.p + term.n; p++)
        for (size_t i = 0; i < COUNT(relations); i++) {
            *n = strlen(relations[i].text);
            if ((size_t)(term.p + term.n - p) < *n || memcmp(p, relations[i].text, *n) != 0) continue;
            *r = relations[i].relation;
            return p;
        }
    return NULL;
}

/* Where the field is absent, != and !~ hold. */
static int add_term(struct log_filter *f, struct str term, struct err *e)
{
    const struct predicate *any = NULL, *one = NULL;
    struct field fields[2];
    enum relation r;
    size_t n;
    const char *at = relation_find(term, &r, &n);
    struct str name = at ? str_trim(str_make(term.p, (size_t)(at - term.p))) : (struct str){ NULL, 0 };

    if (name.n == 0)
        return err_set(
            e, ERR_PARSE,
            "field: \"%.*s\" should be NAME OP VALUE, with one of = != =~ !~ > >= < <=", STR_ARG(term));
    struct str value = str_trim(str_make(at + n, (size_t)(term.p + term.n - at) - n));
    size_t n_fields = fields_of(name, fields);
    for (size_t i = 0; i < n_fields; i++) {
        int rc = compare(f, fields[i], r, value, &one, e);
        if (rc < 0) return rc;
        any = any ? predicate_or(&f->arena, any, one) : one;
    }
    return add(f, r == REL_NE || r == REL_NOT_RE ? predicate_not(&f->arena, any) : any, e);
}

/* ---- parameters with a meaning ---- */

static const struct predicate *severity_between(struct arena *a, int64_t from, int64_t to)
{
    const struct field f = field_in(IN_SEVERITY);
    return predicate_and(a, predicate_cmp(a, PRED_GE, f, value_int(from)),
                         predicate_cmp(a, PRED_LE, f, value_int(to)));
}

/* Words name a range of four numbers: error is 17 to 20. */
static int add_severity(struct log_filter *f, struct str words, struct err *e)
{
    const struct predicate *any = NULL;
    while (words.n > 0) {
        struct str word = str_trim(str_cut(words, ',', &words));
        bool worse = word.n > 1 && word.p[word.n - 1] == '+';
        if (worse) word.n--;
        int64_t number = severity_of(word);
        if (number == 0)
            return err_set(e, ERR_PARSE, "severity: \"%.*s\" is not trace, debug, info, warn, error or fatal",
                           STR_ARG(word));
        int64_t from = (number - 1) / 4 * 4 + 1;
        const struct predicate *p = severity_between(&f->arena, from, worse ? SEVERITY_END : from + 3);
        any = any ? predicate_or(&f->arena, any, p) : p;
    }
    return any ? add(f, any, e) : OK;
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int add_id(struct log_filter *f, const char *name, enum intrinsic in, size_t bytes, struct str hex,
                  struct err *e)
{
    char *id = arena_zero(&f->arena, bytes);
    bool good = hex.n > 0 && hex.n <= 2 * bytes;
    for (size_t i = 0; i < hex.n && good; i++) {
        int digit = hex_of(hex.p[hex.n - 1 - i]);
        good = digit >= 0;
        if (good) id[bytes - 1 - i / 2] = (char)(id[bytes - 1 - i / 2] | (i % 2 ? digit << 4 : digit));
    }
    if (!good) return err_set(e, ERR_PARSE, "%s: up to %zu hexadecimal digits are expected", name, 2 * bytes);
    struct value v = { .type = VALUE_BYTES, .text = { id, bytes } };
    return add(f, predicate_cmp(&f->arena, PRED_EQ, field_in(in), v), e);
}

static int add_attribute(struct log_filter *f, const char *name, struct str value, struct err *e)
{
    return add(f, equal(&f->arena, field_attr(FIELD_ATTR, str_of(name)), value), e);
}

static int take_words(struct log_filter *f, struct http_exchange *x, struct err *e)
{
    struct arena *a = &f->arena;
    struct str service = arena_str(a, http_param(x, "service")), text = arena_str(a, http_param(x, "text")),
               regex = http_param(x, "regex"), event = arena_str(a, http_param(x, "event"));
    struct regex *re;
    int rc = OK;

    if (service.n > 0) rc = add(f, equal(a, field_attr(FIELD_RESOURCE, STR("service.name")), service), e);
    if (rc == OK && text.n > 0) rc = add(f, predicate_contains(a, field_in(IN_BODY), text, true), e);
    if (rc == OK && event.n > 0) rc = add(f, equal(a, field_in(IN_EVENT_NAME), event), e);
    if (rc == OK && regex.n > 0 && (rc = regex_keep(f, regex, &re, e)) == OK)
        rc = add(f, predicate_regex(a, field_in(IN_BODY), re), e);
    return rc == OK ? add_severity(f, http_param(x, "severity"), e) : rc;
}

static int take_ids(struct log_filter *f, struct http_exchange *x, struct err *e)
{
    static const char *const attributes[] = { "task_id", "correlation_id" };
    struct str trace = http_param(x, "trace_id"), span = http_param(x, "span_id");
    int rc = OK;

    if (trace.n > 0) rc = add_id(f, "trace_id", IN_TRACE_ID, 16, trace, e);
    if (rc == OK && span.n > 0) rc = add_id(f, "span_id", IN_SPAN_ID, 8, span, e);
    for (size_t i = 0; i < COUNT(attributes) && rc == OK; i++) {
        struct str value = arena_str(&f->arena, http_param(x, attributes[i]));
        if (value.n > 0) rc = add_attribute(f, attributes[i], value, e);
    }
    return rc;
}

int log_filter_take(struct log_filter *f, struct http_exchange *x, struct err *e)
{
    struct str *terms;
    size_t n = http_params(x, "field", &terms);
    *f = (struct log_filter){ .arena = ARENA_INIT(FILTER_ARENA) };
    int rc = take_words(f, x, e);
    if (rc == OK) rc = take_ids(f, x, e);
    for (size_t i = 0; i < n && rc == OK; i++) rc = add_term(f, arena_str(&f->arena, terms[i]), e);
    if (rc < 0) log_filter_release(f);
    return rc;
}

void log_filter_release(struct log_filter *f)
{
    for (size_t i = 0; i < f->n_re; i++) regex_free(f->re[i]);
    f->n_re = 0;
    arena_release(&f->arena);
}
