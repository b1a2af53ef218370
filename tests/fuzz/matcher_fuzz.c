/* matcher_fuzz.c - any text as matchers: what is taken prints as something that means the same. */
#include "base/check.h"
#include "tell/notify/am_matchers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool are_equal(const struct am_matchers *a, const struct am_matchers *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->at[i].op != b->at[i].op || !str_eq(a->at[i].name, b->at[i].name) ||
            !str_eq(a->at[i].value, b->at[i].value))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(16u << 20);
    struct am_matchers m = { 0 }, again = { 0 };
    struct buf text = BUF_INIT(4u << 20);
    struct err e = ERR_INIT;
    if (am_matchers_parse(str_make(data, size), &a, &m, &e) == OK) {
        am_matchers_print(&text, &m);
        check(am_matchers_parse(buf_view(&text), &a, &again, &e) == OK);
        check(are_equal(&m, &again));
    } else {
        check(e.text[0] != 0 && m.n == 0);
    }
    am_matchers_release(&m);
    am_matchers_release(&again);
    buf_release(&text);
    arena_release(&a);
    return 0;
}
