/* template_loki.c - what LogQL's templates know beside Go's and Sprig's functions. */
#include "query/logql/template_loki.h"

#include "base/check.h"
#include "base/clock.h"
#include "query/logql/parse.h"
#include "query/template_text.h"

#define REGEX_CPU_NS ((int64_t)500 * 1000000) /* of a query, for patterns made by templates */

void kept_regexes_release(struct kept_regexes *k)
{
    for (size_t i = 0; i < k->n; i++) regex_free(k->at[i]);
    *k = (struct kept_regexes){ 0 };
}

/* NULL after an error. Kept until enough others have been asked for. */
static const struct regex *regex_of(struct template_call *c, struct str pattern)
{
    struct template_line *l = c->host;
    struct kept_regexes *k = l->regexes;
    struct err why = ERR_INIT;
    struct regex *re;
    for (size_t i = 0; i < k->n; i++)
        if (str_eq(regex_text(k->at[i]), pattern)) return k->at[i];
    if (k->cpu_ns > REGEX_CPU_NS) return tf_fail(c, "too many different regular expressions"), NULL;
    int64_t begun = clock_cpu_ns();
    int rc = regex_new_search(pattern, &re, &why);
    k->cpu_ns += clock_cpu_ns() - begun;
    if (rc < 0) return tf_fail(c, "%s", why.text), NULL;
    if (k->n == COUNT(k->at)) {
        k->next = (k->next + 1) % COUNT(k->at);
        regex_free(k->at[k->next]);
        return k->at[k->next] = re;
    }
    return k->at[k->n++] = re;
}

static int fn_regex_replace(struct template_call *c, struct tvalue *out) /* pattern text replacement */
{
    bool literal = str_is(str_of(c->name), "regexReplaceAllLiteral");
    const struct regex *re = regex_of(c, tf_arg(c, 0));
    struct str s = tf_arg(c, 1), with = tf_arg(c, 2), groups[REGEX_CAPTURES_MAX];
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    size_t at = 0, n;
    if (re == NULL) return c->err->code;
    n = MIN(regex_groups(re) + 1, (size_t)REGEX_CAPTURES_MAX);
    for (size_t from = 0; !b.full && regex_find(re, s, from, groups, n);) {
        size_t begin = (size_t)(groups[0].p - s.p);
        buf_add(&b, s.p + at, begin - at);
        if (literal)
            buf_str(&b, with);
        else
            regex_expand(re, s, groups, n, with, &b);
        at = begin + groups[0].n;
        from = groups[0].n > 0 ? at : at + 1; /* an empty match is found once */
        if (groups[0].n == 0 && at < s.n) buf_char(&b, s.p[at++]);
        if (from > s.n) break;
    }
    buf_add(&b, s.p + at, s.n - at);
    *out = tf_made(c, &b);
    return OK;
}

static int fn_count(struct template_call *c, struct tvalue *out) /* pattern text */
{
    const struct regex *re = regex_of(c, tf_arg(c, 0));
    struct str s = tf_arg(c, 1), group;
    int64_t n = 0;
    if (re == NULL) return c->err->code;
    for (size_t from = 0; regex_find(re, s, from, &group, 1); n++) {
        from = (size_t)(group.p - s.p) + MAX(group.n, (size_t)1);
        if (from > s.n) {
            n++;
            break;
        }
    }
    *out = tv_int(n);
    return OK;
}

static int fn_duration(struct template_call *c, struct tvalue *out)
{
    int64_t ns;
    struct str s = tf_arg(c, 0);
    if (!logql_duration(s, &ns))
        return tf_fail(c, "invalid duration \"%.*s\"", (int)MIN(s.n, (size_t)60), s.p);
    *out = tv_float((double)ns / 1e9);
    return OK;
}

static int fn_bytes(struct template_call *c, struct tvalue *out)
{
    double bytes;
    struct str s = tf_arg(c, 0);
    if (!logql_bytes(s, &bytes)) return tf_fail(c, "invalid size \"%.*s\"", (int)MIN(s.n, (size_t)60), s.p);
    *out = tv_float(bytes);
    return OK;
}

static int fn_line(struct template_call *c, struct tvalue *out)
{
    *out = tv_str(((struct template_line *)c->host)->line);
    return OK;
}

static int fn_timestamp(struct template_call *c, struct tvalue *out)
{
    *out = tv_time(((struct template_line *)c->host)->time_ns, 0);
    return OK;
}

const struct template_functions *template_loki(void)
{
    static const struct template_function all[] = {
        { "__line__", 0, 0, fn_line },
        { "__timestamp__", 0, 0, fn_timestamp },
        { "regexReplaceAll", 3, 3, fn_regex_replace },
        { "regexReplaceAllLiteral", 3, 3, fn_regex_replace },
        { "count", 2, 2, fn_count },
        { "duration", 1, 1, fn_duration },
        { "duration_seconds", 1, 1, fn_duration },
        { "bytes", 1, 1, fn_bytes },
    };
    static const struct template_functions table = { all, COUNT(all), &template_texts };
    return &table;
}
