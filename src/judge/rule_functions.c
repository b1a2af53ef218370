/* rule_functions.c - the table of functions, and those on queries, text and links. */
#include "judge/rule_functions.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/regex.h"
#include "query/template_text.h"

void rule_host_release(struct rule_host *h)
{
    for (size_t i = 0; i < h->n_answers; i++) rule_answer_release(&h->answers[i]);
    h->n_answers = 0;
}

/* ---- queries: a sample is a map of Labels and Value ---- */

static int fn_query(struct template_call *c, struct tvalue *out)
{
    struct rule_host *h = c->host;
    struct str expr = tf_arg(c, 0);
    struct err why = ERR_INIT;
    if (h->data->query == NULL) return tf_fail(c, "there is nothing to ask");
    if (h->n_answers == RULE_HOST_ANSWERS) return tf_fail(c, "more than %d queries", RULE_HOST_ANSWERS);
    struct rule_answer *a = &h->answers[h->n_answers];
    *a = (struct rule_answer){ 0 };
    if (rule_ask(h->data->query, RULE_PROMQL, expr, h->data->at_ms, a, &why) < 0)
        return tf_fail(c, "%s", why.text);
    h->n_answers++;
    struct tvalue *list = arena_array(c->arena, a->n + 1, sizeof *list);
    for (size_t i = 0; i < a->n; i++) {
        struct tentry *at = arena_array(c->arena, 2, sizeof *at);
        at[0] = (struct tentry){ STR("Labels"), rule_labels_value(a->series[i].labels, c->arena) };
        at[1] = (struct tentry){ STR("Value"), tv_float(a->series[i].points[0].value) };
        list[i] = (struct tvalue){ .type = TV_MAP, .map = { at, 2 } };
    }
    *out = (struct tvalue){ .type = TV_LIST, .list = { list, a->n } };
    return OK;
}

static int fn_first(struct template_call *c, struct tvalue *out)
{
    if (c->args[0].type != TV_LIST || c->args[0].list.n == 0)
        return tf_fail(c, "first() called on vector with no elements");
    *out = c->args[0].list.at[0];
    return OK;
}

/* The part of a sample, or NULL when the value is none. */
static const struct tvalue *part_of(const struct tvalue *sample, const char *name)
{
    if (sample->type != TV_MAP) return NULL;
    for (size_t i = 0; i < sample->map.n; i++)
        if (str_is(sample->map.at[i].key, name)) return &sample->map.at[i].value;
    return NULL;
}

static struct str label_of(const struct tvalue *sample, struct str name, struct arena *a)
{
    const struct tvalue *labels = part_of(sample, "Labels");
    if (labels == NULL || labels->type != TV_LOOKUP) return STR("");
    struct tvalue v = labels->lookup->get(labels->lookup->ctx, name, a);
    return v.type == TV_STR ? v.s : STR("");
}

static int fn_label(struct template_call *c, struct tvalue *out) /* name sample */
{
    if (part_of(&c->args[1], "Labels") == NULL) return tf_fail(c, "wants a sample of a query");
    *out = tv_str(label_of(&c->args[1], tf_arg(c, 0), c->arena));
    return OK;
}

static int fn_value(struct template_call *c, struct tvalue *out)
{
    const struct tvalue *v = part_of(&c->args[0], "Value");
    if (v == NULL) return tf_fail(c, "wants a sample of a query");
    *out = *v;
    return OK;
}

static int fn_strvalue(struct template_call *c, struct tvalue *out)
{
    *out = tv_str(label_of(&c->args[0], STR("__value__"), c->arena));
    return OK;
}

struct sortable {
    struct str key;
    struct tvalue sample;
    size_t at;
};

static int by_key(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    int c = str_cmp(x->key, y->key);
    return c != 0 ? c : (x->at > y->at) - (x->at < y->at);
}

static int fn_sort_by_label(struct template_call *c, struct tvalue *out) /* name list */
{
    const struct tvalue *v = &c->args[1];
    if (v->type != TV_LIST) return tf_fail(c, "wants the samples of a query");
    struct sortable *all = arena_array(c->arena, v->list.n + 1, sizeof *all);
    struct tvalue *list = arena_array(c->arena, v->list.n + 1, sizeof *list);
    struct str name = tf_arg(c, 0);
    for (size_t i = 0; i < v->list.n; i++)
        all[i] = (struct sortable){ label_of(&v->list.at[i], name, c->arena), v->list.at[i], i };
    qsort(all, v->list.n, sizeof *all, by_key);
    for (size_t i = 0; i < v->list.n; i++) list[i] = all[i].sample;
    *out = (struct tvalue){ .type = TV_LIST, .list = { list, v->list.n } };
    return OK;
}

/* ---- text ---- */

static int fn_args(struct template_call *c, struct tvalue *out)
{
    struct tentry *at = arena_array(c->arena, c->n + 1, sizeof *at);
    for (size_t i = 0; i < c->n; i++)
        at[i] = (struct tentry){ arena_printf(c->arena, "arg%zu", i), c->args[i] };
    *out = (struct tvalue){ .type = TV_MAP, .map = { at, c->n } };
    return OK;
}

static int fn_as_it_is(struct template_call *c, struct tvalue *out)
{
    *out = tv_str(tf_arg(c, 0));
    return OK;
}

/* Letters of ASCII; title raises the first of each word and leaves the others as they are. */
static int fn_case(struct template_call *c, struct tvalue *out)
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    struct str s = tf_arg(c, 0);
    bool is_title = c->name[1] == 'i', is_upper = c->name[2] == 'U', begins = true;
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool small = ch >= 'a' && ch <= 'z', big = ch >= 'A' && ch <= 'Z';
        if (small && (is_title ? begins : is_upper)) ch = (char)(ch - 'a' + 'A');
        if (big && !is_title && !is_upper) ch = (char)(ch - 'A' + 'a');
        begins = !small && !big && !(ch >= '0' && ch <= '9') && ch != '_' && (unsigned char)ch < 0x80;
        buf_char(&b, ch);
    }
    *out = tf_made(c, &b);
    return OK;
}

static int regex_of(struct template_call *c, struct regex **re)
{
    struct err why = ERR_INIT;
    return regex_new_search(tf_arg(c, 0), re, &why) < 0 ? tf_fail(c, "%s", why.text) : OK;
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

static int fn_replace_all(struct template_call *c, struct tvalue *out) /* pattern replacement text */
{
    struct str with = tf_arg(c, 1), s = tf_arg(c, 2), groups[REGEX_CAPTURES_MAX];
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    struct regex *re;
    size_t at = 0;
    int rc = regex_of(c, &re);
    if (rc < 0) return rc;
    size_t n = MIN(regex_groups(re) + 1, (size_t)REGEX_CAPTURES_MAX);
    for (size_t from = 0; !b.full && from <= s.n && regex_find(re, s, from, groups, n);) {
        size_t begin = (size_t)(groups[0].p - s.p);
        buf_add(&b, s.p + at, begin - at);
        regex_expand(re, s, groups, n, with, &b);
        at = begin + groups[0].n;
        from = at;
        if (groups[0].n > 0) continue;
        if (at < s.n) buf_char(&b, s.p[at++]); /* an empty match is found once */
        from = begin + 1;
    }
    if (at < s.n) buf_add(&b, s.p + at, s.n - at);
    regex_free(re);
    *out = tf_made(c, &b);
    return OK;
}

/* ---- hosts ---- */

/* host:port or [host]:port, as one colon outside of brackets tells them apart. */
static bool split_port(struct str s, struct str *host, struct str *port)
{
    const char *colon = memrchr(s.p, ':', s.n);
    if (colon == NULL) return false;
    *host = str_make(s.p, (size_t)(colon - s.p));
    *port = str_make(colon + 1, s.n - host->n - 1);
    if (host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
        return *host = str_make(host->p + 1, host->n - 2), true;
    return memchr(host->p, ':', host->n) == NULL && memchr(host->p, '[', host->n) == NULL;
}

static int fn_strip_port(struct template_call *c, struct tvalue *out)
{
    struct str s = tf_arg(c, 0), host, port;
    *out = tv_str(split_port(s, &host, &port) ? host : s);
    return OK;
}

static bool is_address(struct str host)
{
    char text[64], scratch[16];
    if (host.n >= sizeof text) return false;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    return inet_pton(AF_INET, text, scratch) == 1 || inet_pton(AF_INET6, text, scratch) == 1;
}

static int fn_strip_domain(struct template_call *c, struct tvalue *out)
{
    struct str s = tf_arg(c, 0), host, port, rest;
    bool has_port = split_port(s, &host, &port);
    if (!has_port) host = s;
    *out = tv_str(s);
    if (is_address(host)) return OK;
    host = str_cut(host, '.', &rest);
    *out = has_port && port.n > 0 ? tv_str(arena_printf(c->arena, "%.*s:%.*s", STR_ARG(host), STR_ARG(port)))
                                  : tv_str(host);
    return OK;
}

/* ---- links ---- */

static void query_escape(struct buf *out, struct str s)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != 0 && strchr(plain, s.p[i]) != NULL)
            buf_char(out, s.p[i]);
        else if (s.p[i] == ' ')
            buf_char(out, '+');
        else
            buf_printf(out, "%%%02X", (unsigned char)s.p[i]);
    }
}

void rule_link(struct buf *out, struct str expr, bool table)
{
    buf_cs(out, "/graph?g0.expr=");
    query_escape(out, expr);
    buf_cs(out, table ? "&g0.tab=1" : "&g0.tab=0");
}

static int fn_link(struct template_call *c, struct tvalue *out)
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    rule_link(&b, tf_arg(c, 0), c->name[0] == 't');
    *out = tf_made(c, &b);
    return OK;
}

static int fn_url_escape(struct template_call *c, struct tvalue *out)
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    query_escape(&b, tf_arg(c, 0));
    *out = tf_made(c, &b);
    return OK;
}

static int fn_external_url(struct template_call *c, struct tvalue *out)
{
    *out = tv_str(((struct rule_host *)c->host)->data->external_url);
    return OK;
}

static int fn_path_prefix(struct template_call *c, struct tvalue *out)
{
    struct str url = ((struct rule_host *)c->host)->data->external_url;
    const char *host = url.n > 0 ? memmem(url.p, url.n, "://", 3) : NULL;
    size_t from = host ? (size_t)(host - url.p) + 3 : 0;
    const char *slash = from < url.n ? memchr(url.p + from, '/', url.n - from) : NULL;
    *out = tv_str(slash ? str_make(slash, url.n - (size_t)(slash - url.p)) : STR(""));
    return OK;
}

static int fn_now(struct template_call *c, struct tvalue *out)
{
    *out = tv_float((double)((struct rule_host *)c->host)->data->at_ms / 1000);
    return OK;
}

/* ---- the table ---- */

static const struct template_function all[] = {
    { "query", 1, 1, fn_query },
    { "first", 1, 1, fn_first },
    { "label", 2, 2, fn_label },
    { "value", 1, 1, fn_value },
    { "strvalue", 1, 1, fn_strvalue },
    { "sortByLabel", 2, 2, fn_sort_by_label },
    { "args", 0, -1, fn_args },
    { "safeHtml", 1, 1, fn_as_it_is },
    { "title", 1, 1, fn_case },
    { "toUpper", 1, 1, fn_case },
    { "toLower", 1, 1, fn_case },
    { "match", 2, 2, fn_match },
    { "reReplaceAll", 3, 3, fn_replace_all },
    { "stripPort", 1, 1, fn_strip_port },
    { "stripDomain", 1, 1, fn_strip_domain },
    { "graphLink", 1, 1, fn_link },
    { "tableLink", 1, 1, fn_link },
    { "urlQueryEscape", 1, 1, fn_url_escape },
    { "externalURL", 0, 0, fn_external_url },
    { "pathPrefix", 0, 0, fn_path_prefix },
    { "now", 0, 0, fn_now },
    { "humanize", 1, 1, fn_humanize },
    { "humanize1024", 1, 1, fn_humanize1024 },
    { "humanizeDuration", 1, 1, fn_humanize_duration },
    { "humanizePercentage", 1, 1, fn_humanize_percentage },
    { "humanizeTimestamp", 1, 1, fn_humanize_timestamp },
    { "toTime", 1, 1, fn_to_time },
    { "toDuration", 1, 1, fn_to_duration },
    { "parseDuration", 1, 1, fn_parse_duration },
};

const struct template_functions *rule_functions(void)
{
    static const struct template_functions table = { all, COUNT(all), NULL };
    return &table;
}
