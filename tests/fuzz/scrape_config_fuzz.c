/* scrape_config_fuzz.c - any text as a configuration: parsed, printed, and the print parsed again to the same
 * print; its relabelling rules run over a few labels, and its targets made. */
#include "base/check.h"
#include "base/log.h"
#include "receive/scrape_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct scrape_conf *load(struct str text)
{
    struct arena a = ARENA_INIT(16u << 20);
    struct scrape_conf *conf = NULL;
    struct yaml *root;
    if (yaml_parse(text, "f.yml", &a, &root, NULL) == OK) scrape_conf_parse(root, "f.yml", &conf, NULL);
    arena_release(&a);
    return conf;
}

static void make_targets(const struct scrape_job *j)
{
    struct label l[] = { { STR("__address__"), STR("h:1") },
                         { STR("env"), STR("prod") },
                         { STR("__meta_x"), STR("y") } };
    struct scrape_spec *s;
    if (scrape_spec_make(j, l, COUNT(l), &s, NULL) == OK) scrape_spec_unref(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    log_set_level(LOG_ERROR);
    if (n > 1u << 16) return 0;
    struct scrape_conf *conf = load(str_make(p, n));
    if (conf == NULL) return 0;
    struct buf text = BUF_INIT(64u << 20), again = BUF_INIT(64u << 20);
    scrape_conf_print(conf, &text);
    struct scrape_conf *back = load(buf_view(&text));
    if (back != NULL) scrape_conf_print(back, &again);
    check(back == NULL || str_eq(buf_view(&text), buf_view(&again)));
    for (size_t i = 0; i < conf->n_jobs && i < 16; i++) make_targets(&conf->jobs[i]);
    scrape_conf_free(conf);
    scrape_conf_free(back);
    buf_release(&text);
    buf_release(&again);
    return 0;
}
