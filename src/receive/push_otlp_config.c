#include "receive/push_otlp_config.h"

#include "base/check.h"

static int read_strategy(const struct yaml *node, enum otlp_strategy *out, struct err *e)
{
    struct str name = STR("");
    if (node == NULL) return OK;
    int rc = yaml_str(node, &name, e);
    if (rc < 0) return rc;
    if (otlp_strategy_by_name(name, out)) return OK;
    return err_set(e, ERR_RANGE,
                   "line %d: translation_strategy \"%.*s\" is none of UnderscoreEscapingWithSuffixes, "
                   "UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes, NoTranslation",
                   node->line, (int)MIN(name.n, (size_t)64), name.p);
}

static int read_names(const struct yaml *list, struct arena *a, const struct str **out, size_t *n,
                      struct err *e)
{
    if (list == NULL) return OK;
    if (list->kind != YAML_LIST)
        return err_set(e, ERR_PARSE, "line %d: expected a list of attribute names", list->line);
    struct str *names = arena_array(a, list->n, sizeof *names);
    for (size_t i = 0; i < list->n; i++) {
        int rc = yaml_str(list->items[i], &names[i], e);
        if (rc < 0) return rc;
    }
    *out = names;
    *n = list->n;
    return OK;
}

static int read_promotion(struct yaml *s, struct arena *a, struct otlp_options *o, struct err *e)
{
    struct yaml *named = yaml_get(s, "promote_resource_attributes"),
                *ignored = yaml_get(s, "ignore_resource_attributes");
    int rc;
    if ((rc = yaml_bool(yaml_get(s, "promote_all_resource_attributes"), &o->promote_all, e)) < 0) return rc;
    if (o->promote_all && named != NULL)
        return err_set(
            e, ERR_RANGE,
            "line %d: promote_resource_attributes and promote_all_resource_attributes exclude one another",
            named->line);
    if (!o->promote_all && ignored != NULL)
        return err_set(e, ERR_RANGE,
                       "line %d: ignore_resource_attributes needs promote_all_resource_attributes",
                       ignored->line);
    return read_names(o->promote_all ? ignored : named, a, &o->promote, &o->n_promote, e);
}

/* What can be said one way only. */
static int read_fixed(struct yaml *s, struct err *e)
{
    static const struct {
        const char *key;
        bool must;
    } fixed[] = {
        { "convert_histograms_to_nhcb", false },
        { "label_name_underscore_sanitization", true },
        { "label_name_preserve_multiple_underscores", true },
        { "allow_delta_temporality", true },
    };
    for (size_t i = 0; i < COUNT(fixed); i++) {
        struct yaml *node = yaml_get(s, fixed[i].key);
        bool asked = fixed[i].must;
        int rc = yaml_bool(node, &asked, e);
        if (rc < 0) return rc;
        if (asked == fixed[i].must) continue;
        return err_set(e, ERR_UNSUPPORTED, "line %d: %s: only %s is supported", node->line, fixed[i].key,
                       fixed[i].must ? "true" : "false");
    }
    return OK;
}

int push_otlp_config(struct yaml *s, struct arena *a, struct otlp_options *o, struct err *e)
{
    bool scope = true;
    int rc;

    *o = (struct otlp_options){ 0 };
    if (s == NULL) return OK;
    if (s->kind != YAML_MAP)
        return err_set(e, ERR_PARSE, "line %d: otlp: expected a map of options", s->line);
    if ((rc = read_strategy(yaml_get(s, "translation_strategy"), &o->strategy, e)) < 0) return rc;
    if ((rc = read_promotion(s, a, o, e)) < 0) return rc;
    if ((rc = yaml_bool(yaml_get(s, "keep_identifying_resource_attributes"), &o->keep_identifying, e)) < 0)
        return rc;
    if ((rc = yaml_bool(yaml_get(s, "promote_scope_metadata"), &scope, e)) < 0) return rc;
    o->no_scope_labels = !scope;
    return read_fixed(s, e);
}
