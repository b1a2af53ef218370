#include "net/http_params.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The byte that s[i] == '%' stands for, or -1. */
static int escaped(struct str s, size_t i)
{
    if (s.n - i < 3) return -1;
    int high = hex(s.p[i + 1]), low = hex(s.p[i + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool http_escapes_valid(struct str path)
{
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '%' && escaped(path, i) <= 0) return false;
    return true;
}

struct str http_decode(struct str s, bool plus, struct arena *a)
{
    if (s.n == 0 || (memchr(s.p, '%', s.n) == NULL && (!plus || memchr(s.p, '+', s.n) == NULL))) return s;

    char *out = arena_alloc(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int byte = s.p[i] == '%' ? escaped(s, i) : -1;
        if (byte >= 0)
            i += 2;
        else
            byte = plus && s.p[i] == '+' ? ' ' : s.p[i];
        out[n++] = (char)byte;
    }
    return (struct str){ out, n };
}

int http_params_read(struct http_params *ps, struct str text, struct arena *a, struct err *e)
{
    while (text.n > 0) {
        struct str value, pair = str_cut(text, '&', &text);
        if (pair.n == 0) continue;
        if (ps->n == HTTP_PARAMS_MAX)
            return err_set(e, ERR_LIMIT, "more than %d parameters", HTTP_PARAMS_MAX);

        struct str name = str_cut(pair, '=', &value);
        ps->at = arena_grow(a, ps->at, ps->n, &ps->cap, sizeof *ps->at);
        ps->at[ps->n++] = (struct http_pair){ http_decode(name, true, a), http_decode(value, true, a) };
    }
    return OK;
}
