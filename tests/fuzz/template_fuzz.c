/* template_fuzz.c - any text as a template, run over a few labels with a small ceiling. */
#include "query/logql/template_loki.h"

static struct tvalue label(void *ctx, struct str name, struct arena *a)
{
    (void)ctx;
    (void)a;
    if (str_is(name, "a")) return tv_str(STR("1.5h"));
    if (str_is(name, "j")) return tv_str(STR("{\"x\":[1,{\"y\":null}],\"t\":true}"));
    return (struct tvalue){ 0 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(16 << 20);
    struct buf out = BUF_INIT(256 << 10);
    struct kept_regexes kept = { 0 };
    struct template_line line = { STR("the line"), 1700000000123456789, &kept };
    struct tlookup labels = { label, NULL, NULL, true };
    struct template *t;
    struct err e = ERR_INIT;
    if (template_new(str_make(data, size), template_loki(), &t, &e) == OK) {
        template_run(t, (struct tvalue){ .type = TV_LOOKUP, .lookup = &labels }, &line, &a, &out, &e);
        template_free(t);
    }
    kept_regexes_release(&kept);
    buf_release(&out);
    arena_release(&a);
    return 0;
}
