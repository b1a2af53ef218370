/* redact.c - the rules applied to all that a record, a resource or a series says. */
#include "base/check.h"
#include "receive/redact_impl.h"

#define NUMBER_BYTES 64

/* ---- values ---- */

static bool is_number(struct value v)
{
    return v.type == VALUE_INT || v.type == VALUE_DOUBLE || v.type == VALUE_BOOL;
}

/* As a person reads it: what a hash or a pattern is made of. */
static struct str printed(struct value v, struct arena *a)
{
    struct buf text = BUF_INIT(SIZE_MAX / 2);
    value_print(&text, v);
    struct str kept = arena_str(a, buf_view(&text));
    buf_release(&text);
    return kept;
}

/* A value under a key that was named; the action is not drop. */
static struct value named_value(const struct redact_at *at, const struct redact_rule *rule, struct value v)
{
    if (rule->action == REDACT_KEEP_NUMBERS) {
        if (is_number(v)) return v;
        if (v.type == VALUE_JSON)
            return (struct value){ .type = VALUE_JSON, .text = redact_json_masked(at, rule, v.text) };
    }
    return value_str(redact_stand_in(at->r, rule, printed(v, at->arena), at->arena));
}

static struct value any_value(const struct redact_at *at, struct str path, struct value v)
{
    struct str text, kept;
    switch (v.type) {
    case VALUE_STR: v.text = redact_text(at, path, v.text); break;
    case VALUE_JSON: v.text = redact_json(at, path, v.text); break;
    case VALUE_BYTES:
        kept = redact_text(at, path, v.text);
        if (kept.p != v.text.p || kept.n != v.text.n) v = value_str(kept);
        break;
    case VALUE_INT:
    case VALUE_DOUBLE:
        text = printed(v, at->arena);
        kept = redact_text(at, path, text);
        if (kept.p != text.p) v = value_str(kept);
        break;
    case VALUE_BOOL:
    case VALUE_NONE:
    case VALUE_TYPES: break;
    }
    return v;
}

/* Empty: the attribute goes. Keys are compared with the whole name, patterns hit parts of it. */
static struct str name_kept(const struct redact_at *at, struct str name)
{
    struct redact_at names = *at;
    names.field = REDACT_NAMES;
    const struct redact_rule *rule = redact_key_rule(&names, name, STR(""));
    return rule != NULL ? redact_stand_in(at->r, rule, name, at->arena) : redact_text(&names, STR(""), name);
}

/* The list belongs to the decoder, which forgets it after the record: it is changed in place. */
static struct attrs attributes(const struct redact_at *at, struct attrs attrs)
{
    struct attr *to = (struct attr *)(uintptr_t)attrs.at;
    size_t n = 0;
    for (size_t i = 0; i < attrs.n; i++) {
        struct attr a = attrs.at[i];
        const struct redact_rule *rule = redact_key_rule(at, a.name, STR(""));
        if (rule != NULL && rule->action == REDACT_DROP) continue;
        a.value = rule != NULL ? named_value(at, rule, a.value) : any_value(at, a.name, a.value);
        if (at->r->fields & REDACT_NAMES) a.name = name_kept(at, a.name);
        if (a.name.n > 0) to[n++] = a;
    }
    return (struct attrs){ attrs.at, n };
}

static struct redact_at at_field(const struct redact *r, enum redact_field field, struct arena *a)
{
    return (struct redact_at){ r, field, a, 0 };
}

/* A text of the record itself, which a key may name as well. */
static void field_text(const struct redact *r, enum redact_field field, struct str name, struct str *text,
                       struct arena *a)
{
    struct redact_at at = at_field(r, field, a);
    if (text->n == 0 || !(r->fields & field)) return;
    const struct redact_rule *rule = redact_key_rule(&at, name, STR(""));
    *text = rule != NULL ? redact_stand_in(r, rule, *text, a) : redact_text(&at, STR(""), *text);
}

/* Events and links: JSON of our own making, whose members have the senders' names. */
static void field_json(const struct redact *r, enum redact_field field, struct str *json, struct arena *a)
{
    struct redact_at at = at_field(r, field, a);
    if (json->n > 0 && (r->fields & field)) *json = redact_json(&at, STR(""), *json);
}

/* ---- resources and records ---- */

void redact_origin(const struct redact *r, struct origin *o, struct arena *a)
{
    if (r == NULL) return;
    struct redact_at resource = at_field(r, REDACT_RESOURCE, a), scope = at_field(r, REDACT_SCOPE, a);
    if (r->fields & (REDACT_RESOURCE | REDACT_NAMES)) o->resource = attributes(&resource, o->resource);
    if (r->fields & (REDACT_SCOPE | REDACT_NAMES)) o->scope = attributes(&scope, o->scope);
    field_text(r, REDACT_SCOPE, STR("scope.name"), &o->scope_name, a);
}

static void body(const struct redact *r, struct record *rec, struct arena *a)
{
    struct redact_at at = at_field(r, REDACT_BODY, a);
    if (rec->log.body.type == VALUE_NONE || !(r->fields & REDACT_BODY)) return;
    const struct redact_rule *rule = redact_key_rule(&at, STR("body"), STR(""));
    if (rule == NULL)
        rec->log.body = any_value(&at, STR(""), rec->log.body);
    else
        rec->log.body = named_value(&at, rule, rec->log.body);
}

void redact_record(const struct redact *r, enum table table, struct record *rec, struct arena *a)
{
    struct redact_at at = at_field(r, REDACT_ATTRIBUTES, a);
    if (r == NULL) return;
    if (r->fields & (REDACT_ATTRIBUTES | REDACT_NAMES)) rec->attrs = attributes(&at, rec->attrs);
    if (table == TABLE_LOGS) {
        body(r, rec, a);
        field_text(r, REDACT_NAME, STR("event_name"), &rec->log.event_name, a);
        field_text(r, REDACT_STATUS, STR("severity_text"), &rec->log.severity_text, a);
        return;
    }
    field_text(r, REDACT_NAME, STR("name"), &rec->span.name, a);
    field_text(r, REDACT_STATUS, STR("status_message"), &rec->span.status_message, a);
    field_text(r, REDACT_STATUS, STR("trace_state"), &rec->span.trace_state, a);
    field_json(r, REDACT_EVENTS, &rec->span.events, a);
    field_json(r, REDACT_LINKS, &rec->span.links, a);
}

/* ---- labels of series ---- */

/* A label that a series is known by is never left out, nor are two of its labels made one: two series could
 * become one row by row. So a label's name that is hit is hashed whatever the action, and wholly. */
static struct str label_name(const struct redact *r, struct str name, struct arena *a)
{
    static const char before[] = "hmac_";
    for (size_t i = 0; i < r->n; i++) {
        const struct redact_rule *rule = &r->rules[i];
        if ((rule->fields & REDACT_LABEL_NAMES) != REDACT_LABEL_NAMES || !redact_hits(rule, name)) continue;
        stat_add(rule->hits, 1);
        if (rule->dry_run) continue;
        struct str hash = redact_hashed(r, name, a);
        char *text = arena_alloc(a, hash.n);
        memcpy(text, hash.p, hash.n);
        memcpy(text, before, MIN(hash.n, sizeof before - 1)); /* a colon is for recorded series */
        return str_make(text, hash.n);
    }
    return name;
}

/* *l as it was unless true; without labels when its names are no set any more: the store refuses that. */
static bool labels_changed(const struct redact *r, struct labels *l, struct arena *a)
{
    struct redact_at at = at_field(r, REDACT_LABELS, a);
    bool changed = false, renamed = false;
    for (size_t i = 0; i < l->n; i++) {
        struct label *label = (struct label *)(uintptr_t)&l->at[i];
        if (str_is(label->name, "__name__")) continue;
        const struct redact_rule *rule = redact_key_rule(&at, label->name, STR(""));
        struct str kept =
            rule ? redact_stand_in(r, rule, label->value, a) : redact_text(&at, label->name, label->value);
        if (kept.n == 0 && label->value.n > 0)
            kept = STR(REDACTED); /* without a value it would be left out */
        changed |= kept.p != label->value.p || kept.n != label->value.n;
        label->value = kept;
        kept = label_name(r, label->name, a);
        renamed |= kept.p != label->name.p;
        label->name = kept;
    }
    if (renamed && labels_normalise((struct label *)(uintptr_t)l->at, &l->n, NULL) < 0) l->n = 0;
    return changed || renamed;
}

static void redact_series(const struct redact *r, struct batch *b, struct batch_series *s)
{
    struct labels l = { NULL, 0 };
    /* What is no label set becomes one without labels: the store refuses and counts it. */
    if (labels_from(b->spelling, s->raw, b->arena, &l, NULL) < 0) l.n = 0;
    if (!labels_changed(r, &l, b->arena) && b->spelling == LABELS_PACKED) return;
    struct batch one;
    batch_init(&one, b->arena, LABELS_PACKED);
    batch_series_labels(&one, l);
    s->raw = one.series[0].raw;
    s->key = one.series[0].key;
}

void redact_batch(const struct redact *r, struct batch *b)
{
    if (r == NULL || !(r->fields & REDACT_LABELS)) return;
    for (size_t i = 0; i < b->n_series; i++) redact_series(r, b, &b->series[i]);
    if (b->n_series > 0) b->spelling = LABELS_PACKED;
    for (size_t i = 0; i < b->n_exemplars; i++) {
        struct batch one;
        struct labels l;
        if (labels_from(LABELS_PACKED, b->exemplars[i].labels, b->arena, &l, NULL) < 0) continue;
        if (!labels_changed(r, &l, b->arena)) continue;
        batch_init(&one, b->arena, LABELS_PACKED);
        batch_series_labels(&one, l);
        b->exemplars[i].labels = one.series[0].raw;
    }
}
