/* rule_template.c - see rule_template.h. What the functions are: rule_functions.c. */
#include "judge/rule_template.h"

#include "judge/rule_functions.h"

#define TEXT_MAX (256u << 10) /* of one label or annotation */

/* Before each text, as Prometheus does, so that the short names work. */
static const char names[] = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
                            "{{$externalURL := .ExternalURL}}{{$value := .Value}}";

int rule_template_new(struct str text, struct template **out, struct err *e)
{
    struct buf whole = BUF_INIT(TEMPLATE_TEXT_MAX);
    *out = NULL;
    if (memmem(text.p, text.n, "{{", 2) == NULL) return OK;
    buf_cs(&whole, names);
    buf_str(&whole, text);
    int rc = whole.full ? err_set(e, ERR_LIMIT, "template: more than %u bytes", TEMPLATE_TEXT_MAX)
                        : template_new(buf_view(&whole), rule_functions(), out, e);
    buf_release(&whole);
    return rc;
}

/* ---- labels as a map that is asked ---- */

static struct tvalue label_get(void *ctx, struct str name, struct arena *a)
{
    (void)a;
    const struct labels *l = ctx;
    struct str v = labels_get_str(*l, name);
    return v.n > 0 ? tv_str(v) : (struct tvalue){ 0 };
}

static void label_list(void *ctx, struct arena *a, struct tentry **out, size_t *n)
{
    const struct labels *l = ctx;
    *out = arena_array(a, l->n + 1, sizeof **out);
    *n = l->n;
    for (size_t i = 0; i < l->n; i++) (*out)[i] = (struct tentry){ l->at[i].name, tv_str(l->at[i].value) };
}

struct tvalue rule_labels_value(struct labels labels, struct arena *a)
{
    struct labels *kept = arena_alloc(a, sizeof *kept);
    struct tlookup *lookup = arena_alloc(a, sizeof *lookup);
    *kept = labels;
    *lookup = (struct tlookup){ label_get, label_list, kept, true };
    return (struct tvalue){ .type = TV_LOOKUP, .lookup = lookup };
}

/* ---- a run ---- */

static struct tvalue data_of(const struct rule_template_data *d, struct arena *a)
{
    struct tentry *at = arena_array(a, 4, sizeof *at); /* sorted by key */
    at[0] = (struct tentry){ STR("ExternalLabels"), rule_labels_value(d->external, a) };
    at[1] = (struct tentry){ STR("ExternalURL"), tv_str(d->external_url) };
    at[2] = (struct tentry){ STR("Labels"), rule_labels_value(d->labels, a) };
    at[3] = (struct tentry){ STR("Value"), tv_float(d->value) };
    return (struct tvalue){ .type = TV_MAP, .map = { at, 4 } };
}

struct str rule_template_run(const struct template *t, const struct rule_template_data *d, struct arena *a)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    struct err why = ERR_INIT;
    struct rule_host host = { .data = d, .arena = a };
    if (template_run(t, data_of(d, a), &host, a, &out, &why) < 0) {
        buf_clear(&out);
        out.full = false;
        buf_printf(&out, "<error expanding template: %s>", why.text);
    }
    struct str text = arena_str(a, buf_view(&out));
    rule_host_release(&host);
    buf_release(&out);
    return text;
}
