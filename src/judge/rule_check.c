/* rule_check.c - see rule_check.h. */
#include "judge/rule_check.h"

#include "base/map.h"

size_t rule_check_count(const struct rule_file *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_groups; i++) n += f->groups[i].n_rules;
    return n;
}

static uint64_t identity_of(const struct rule_spec *r)
{
    struct buf b = BUF_INIT(16u << 20);
    buf_str(&b, r->name);
    for (size_t i = 0; i < r->labels.n; i++) {
        buf_printf(&b, "%c%zu ", '\0', r->labels.at[i].name.n);
        buf_str(&b, r->labels.at[i].name);
        buf_str(&b, r->labels.at[i].text);
    }
    uint64_t hash = hash64(b.p, b.n);
    buf_release(&b);
    return hash;
}

static void describe(struct buf *out, const struct rule_spec *r)
{
    buf_printf(out, "Metric: %.*s\nLabel(s):\n", STR_ARG(r->name));
    for (size_t i = 0; i < r->labels.n; i++)
        buf_printf(out, "\t%.*s: %.*s\n", STR_ARG(r->labels.at[i].name), STR_ARG(r->labels.at[i].text));
}

size_t rule_check_duplicates(const struct rule_file *f, struct buf *out)
{
    struct map seen;
    size_t n = 0;
    map_init(&seen, rule_check_count(f) + 1);
    for (size_t i = 0; i < f->n_groups; i++)
        for (size_t k = 0; k < f->groups[i].n_rules; k++) {
            const struct rule_spec *r = &f->groups[i].rules[k];
            uint64_t id = identity_of(r), *times = map_find(&seen, id, NULL, NULL);
            if (times == NULL) {
                map_add(&seen, id, 1);
            } else if (++*times == 2) {
                n++;
                describe(out, r);
            }
        }
    if (n > 0) buf_cs(out, "Might cause inconsistency while recording expressions\n");
    map_release(&seen);
    return n;
}
