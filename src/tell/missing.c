/* missing.c - see missing.h. */
#include "tell/missing.h"

#include "base/json.h"

struct call_notes *missing_notes(struct http_exchange *x)
{
    void **slot = http_slot(x);
    if (*slot == NULL) {
        struct call_notes *n = arena_zero(http_arena(x), sizeof *n);
        call_notes_init(n);
        *slot = n;
    }
    return *slot;
}

size_t missing_list(struct http_exchange *x, struct str **out)
{
    struct call_notes *n = *http_slot(x);
    *out = NULL;
    return n != NULL && call_notes_any(n) ? call_notes_list(n, http_arena(x), out) : 0;
}

static void put_header(struct http_exchange *x, struct str first, size_t n)
{
    http_answer_header(x, "X-Vedette-Warning",
                       n == 1 ? first
                              : arena_printf(http_arena(x), "%.*s; and %zu more", STR_ARG(first), n - 1));
}

void missing_header(struct http_exchange *x)
{
    struct str *texts;
    size_t n = missing_list(x, &texts);
    if (n > 0) put_header(x, texts[0], n);
}

void missing_json(struct http_exchange *x, struct buf *out)
{
    struct str *texts;
    size_t n = missing_list(x, &texts);
    if (n == 0) return;
    put_header(x, texts[0], n);
    if (out->full || out->n < 3 || out->p[0] != '{' || out->p[out->n - 1] != '}') return;
    out->n--;
    for (size_t i = 0; i < n; i++) {
        buf_cs(out, i == 0 ? ",\"warnings\":[" : ",");
        json_escape(out, texts[i]);
    }
    buf_cs(out, "]}");
}
