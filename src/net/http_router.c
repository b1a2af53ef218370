#include "net/http_router.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

static bool is_pattern(const char *path)
{
    return strchr(path, '{') != NULL;
}

static void add_one(struct http_router *r, const struct http_route *route, void *ctx)
{
    check(route->path[0] == '/' && route->handle != NULL);
    struct http_entry fresh = { .route = route, .ctx = ctx, .order = r->n++ };
    if (is_pattern(route->path)) {
        r->patterns = mem_grow(r->patterns, r->n_patterns, &r->cap_patterns, sizeof fresh);
        r->patterns[r->n_patterns++] = fresh;
    } else {
        r->literals = mem_grow(r->literals, r->n_literals, &r->cap_literals, sizeof fresh);
        r->literals[r->n_literals++] = fresh;
    }
}

void http_router_add(struct http_router *r, const struct http_route *routes, size_t n, void *ctx)
{
    for (size_t i = 0; i < n; i++) add_one(r, &routes[i], ctx);
}

static int by_order(const struct http_entry *a, const struct http_entry *b)
{
    return a->order < b->order ? -1 : a->order > b->order;
}

static int by_path(const void *pa, const void *pb)
{
    const struct http_entry *a = pa, *b = pb;
    int d = strcmp(a->route->path, b->route->path);
    return d ? d : by_order(a, b);
}

enum segment_kind { LITERAL, NAME, REST, NOTHING };

static struct str segment_next(const char **at)
{
    if (**at == 0) return (struct str){ NULL, 0 };
    const char *begin = *at + 1; /* past the slash */
    const char *end = strchrnul(begin, '/');
    *at = end;
    return str_make(begin, (size_t)(end - begin));
}

static enum segment_kind segment_kind(struct str s)
{
    if (s.p == NULL) return NOTHING;
    if (s.n < 2 || s.p[0] != '{' || s.p[s.n - 1] != '}') return LITERAL;
    return s.p[s.n - 2] == '*' ? REST : NAME;
}

/* The first segment in which two patterns differ in kind decides: the narrower one is tried first. */
static int by_precedence(const void *pa, const void *pb)
{
    const struct http_entry *a = pa, *b = pb;
    for (const char *p = a->route->path, *q = b->route->path; *p || *q;) {
        enum segment_kind k = segment_kind(segment_next(&p)), l = segment_kind(segment_next(&q));
        if (k != l) return k < l ? -1 : 1;
    }
    return by_order(a, b);
}

void http_router_seal(struct http_router *r)
{
    if (r->n_literals) qsort(r->literals, r->n_literals, sizeof *r->literals, by_path);
    if (r->n_patterns) qsort(r->patterns, r->n_patterns, sizeof *r->patterns, by_precedence);
}

void http_router_release(struct http_router *r)
{
    mem_free(r->literals);
    mem_free(r->patterns);
    *r = (struct http_router){ 0 };
}

static void capture(struct http_match *m, struct str braces, size_t trim, struct str value, struct arena *a)
{
    if (m->n_captures == HTTP_CAPTURES_MAX) return;
    struct str name = { braces.p + 1, braces.n - 2 - trim };
    m->captures[m->n_captures++] = (struct http_pair){ name, http_decode(value, false, a) };
}

static bool path_fits(const char *pattern, struct str path, struct arena *a, struct http_match *m)
{
    m->n_captures = 0;
    while (*pattern) {
        if (path.n == 0 || path.p[0] != '/') return false;
        path.p++;
        path.n--;
        struct str want = segment_next(&pattern);
        enum segment_kind kind = segment_kind(want);
        if (kind == REST) return capture(m, want, 1, path, a), true;

        const char *slash = path.n ? memchr(path.p, '/', path.n) : NULL;
        struct str have = { path.p, slash ? (size_t)(slash - path.p) : path.n };
        if (kind == NAME && have.n == 0) return false;
        if (kind == NAME)
            capture(m, want, 0, have, a);
        else if (!str_eq(http_decode(have, false, a), want))
            return false;
        path.p += have.n;
        path.n -= have.n;
    }
    return path.n == 0;
}

static bool method_fits(const struct http_route *route, struct str method)
{
    return str_is(method, route->method) || strcmp(route->method, "*") == 0;
}

static void allow_add(struct http_match *m, const char *method)
{
    if (strstr(m->allow, method) != NULL) return; /* no method's name is part of another's */
    size_t n = strlen(m->allow), more = strlen(method) + 2;
    if (n + more >= sizeof m->allow) return;
    memcpy(m->allow + n, ", ", n ? 2 : 0);
    memcpy(m->allow + n + (n ? 2 : 0), method, strlen(method) + 1);
}

/* Either this entry is the answer, or its method is noted for the Allow header. */
static bool settle(struct http_match *m, struct http_entry *entry, struct str method)
{
    if (method_fits(entry->route, method)) {
        m->entry = entry;
        return true;
    }
    m->path_known = true;
    allow_add(m, entry->route->method);
    if (strcmp(entry->route->method, "GET") == 0) allow_add(m, "HEAD");
    return false;
}

static bool find_literal(const struct http_router *r, struct str method, struct str path,
                         struct http_match *m)
{
    size_t low = 0, high = r->n_literals;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (str_cmp(str_of(r->literals[mid].route->path), path) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < r->n_literals && str_is(path, r->literals[low].route->path); low++)
        if (settle(m, &r->literals[low], method)) return true;
    return false;
}

static bool find_fitting(struct http_entry *all, size_t n, struct str method, struct str path,
                         struct arena *a, struct http_match *m)
{
    for (size_t i = 0; i < n; i++)
        if (path_fits(all[i].route->path, path, a, m) && settle(m, &all[i], method)) return true;
    return false;
}

static void find_method(const struct http_router *r, struct str method, struct str path, struct arena *a,
                        struct http_match *m)
{
    bool escaped = path.n && memchr(path.p, '%', path.n) != NULL;
    if (!escaped && find_literal(r, method, path, m)) return;
    if (escaped && find_fitting(r->literals, r->n_literals, method, path, a, m)) return;
    find_fitting(r->patterns, r->n_patterns, method, path, a, m);
}

void http_router_find(const struct http_router *r, struct str method, struct str path, struct arena *a,
                      struct http_match *m)
{
    *m = (struct http_match){ 0 };
    find_method(r, method, path, a, m);
    if (m->entry == NULL && str_is(method, "HEAD")) find_method(r, STR("GET"), path, a, m);
    if (m->entry == NULL) allow_add(m, "OPTIONS");
}
