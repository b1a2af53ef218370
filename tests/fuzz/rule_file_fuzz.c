/* rule_file_fuzz.c - any bytes as a rule file; what is taken has templates that run. Half of the inputs are
 * values of a test file. */
#include "judge/rule_file.h"
#include "judge/rule_template.h"
#include "judge/series_values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_texts(const struct rule_texts *t)
{
    struct label at[] = { { STR("host"), STR("a:80") }, { STR("job"), STR("j") } };
    struct rule_template_data d = { .labels = { at, 2 }, .value = 1.5, .external_url = STR("http://x/y") };
    for (size_t i = 0; i < t->n; i++) {
        struct arena a = ARENA_INIT(8u << 20);
        if (t->at[i].filled != NULL) rule_template_run(t->at[i].filled, &d, &a);
        arena_release(&a);
    }
}

static void read_file(struct str text, enum rule_lang lang)
{
    struct rule_file *f;
    struct err e = ERR_INIT;
    if (rule_file_parse(text, "fuzz.yml", lang, &f, &e) < 0) return;
    for (size_t g = 0; g < f->n_groups; g++)
        for (size_t r = 0; r < f->groups[g].n_rules; r++) {
            run_texts(&f->groups[g].rules[r].labels);
            run_texts(&f->groups[g].rules[r].annotations);
        }
    rule_file_free(f);
}

static void read_values(struct str text)
{
    struct arena a = ARENA_INIT(64u << 20);
    struct series_values v;
    struct labels l;
    struct err e = ERR_INIT;
    struct buf b = BUF_INIT(1u << 20);
    if (series_values_parse(text, &a, &v, &e) == OK)
        for (size_t i = 0; i < v.n && i < 100; i++)
            if (v.at[i].hist != NULL) series_histogram_print(&b, v.at[i].hist);
    if (!arena_over(&a)) series_labels_parse(text, &a, &l, &e);
    buf_release(&b);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 20000) return 0;
    struct str text = str_make(data + 1, size - 1);
    if (data[0] == '1')
        read_values(text);
    else
        read_file(text, data[0] == '2' ? RULE_LOGQL : RULE_PROMQL);
    return 0;
}
