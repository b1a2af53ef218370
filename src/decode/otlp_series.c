/* otlp_series.c - layouts: the labels of a series with holes for what differs between points.
 *
 *     slots:   "__name__" | const job=a | attribute 2 "http_route" | const otel_scope_name=b | extra "le" |
 * ... sorted by label name; constants are packed pairs, the others packed names awaiting a value
 *
 * Always true:
 *   1. What pack makes is canonical (labels.h, packed): names rise, are unique, and no value is empty.
 *   2. A layout fits only keys that are equal to its own one by one, under the constants it was made with
 * (generation).
 *   3. Both caches are direct-mapped: a loser is forgotten, so a hostile sender costs time, not memory
 * without bound (each miss takes from the request's arena, which has a budget). */
#include "decode/otlp_series.h"

#include "base/check.h"
#include "base/hash.h"

enum { LAYOUTS = 64, NAMES = 512, SLOT_CONST = -1, SLOT_NAME = -2, SLOT_EXTRA = -3, NOT_JOINED = -1 };

struct slot {
    struct str packed; /* constant pairs, then the name that awaits a value */
    size_t n_pairs;    /* bytes of the pairs alone: all of it for SLOT_CONST */
    int attr;          /* index, or SLOT_* */
};

struct layout {
    uint64_t generation;
    size_t n_keys, n_slots;
    size_t size; /* of a series without its values, at most */
    struct str *keys;
    bool any_joined;
    int16_t *joined; /* the next attribute whose key makes the same label, in order of keys */
    struct slot *slots;
    enum otlp_extra extra;
    int rc; /* below 0: these keys make no labels, because of why */
    enum reject reason;
    const char *why;
    struct str why_key;
};

struct name {
    struct str key, label;
    int rc;
};

struct otlp_series {
    enum otlp_strategy strategy;
    const struct decode_limits *limits;
    struct arena *arena;
    const struct label *weak, *strong;
    size_t n_weak, n_strong;
    uint64_t generation;
    const struct otlp_attrs *attrs;       /* of the point at hand */
    size_t values_size;                   /* of all its values, and ';' for each */
    const struct layout *at[OTLP_EXTRAS]; /* its layouts, as far as looked up */
    struct layout *last[OTLP_EXTRAS];     /* that fitted: points of one kind come in a row */
    struct layout *layouts;
    struct name *names;
};

struct otlp_series *otlp_series_new(enum otlp_strategy strategy, const struct decode_limits *limits,
                                    struct arena *a)
{
    struct otlp_series *s = arena_zero(a, sizeof *s);
    s->strategy = strategy;
    s->limits = limits;
    s->arena = a;
    s->generation = 1;
    s->layouts = arena_zero(a, LAYOUTS * sizeof *s->layouts);
    s->names = arena_zero(a, NAMES * sizeof *s->names);
    return s;
}

void otlp_series_constants(struct otlp_series *s, const struct label *weak, size_t n_weak,
                           const struct label *strong, size_t n_strong)
{
    check(n_weak + n_strong <= LABELS_MAX);
    s->weak = weak;
    s->n_weak = n_weak;
    s->strong = strong;
    s->n_strong = n_strong;
    s->generation++;
}

int otlp_series_label(struct otlp_series *s, struct str key, struct str *out, struct err *e)
{
    struct name *known = &s->names[hash64(key.p, key.n) % NAMES];
    if (known->rc < 0 || known->key.n == 0 || !str_eq(known->key, key)) {
        known->key = key;
        known->rc = otlp_label_name(s->strategy, key, s->arena, &known->label, e);
    }
    *out = known->label;
    return known->rc;
}

/* ---- making a layout ---- */

struct part { /* of a layout under construction */
    struct str name, value;
    int attr; /* as in slot */
};

struct draft {
    struct part part[LABELS_MAX * 2 + 8];
    size_t n;
    int16_t last_joined[LABELS_MAX]; /* by first attribute: the end of its chain */
};

static struct part *draft_find(struct draft *d, struct str name)
{
    for (size_t i = 0; i < d->n; i++)
        if (str_eq(d->part[i].name, name)) return &d->part[i];
    return NULL;
}

static void draft_set(struct draft *d, struct str name, struct str value, int attr)
{
    struct part *p = draft_find(d, name);
    if (p == NULL) p = &d->part[d->n++];
    *p = (struct part){ name, value, attr };
}

static int fault(struct layout *l, enum reject reason, const char *why, struct str key)
{
    l->rc = ERR_RANGE;
    l->reason = reason;
    l->why = why;
    l->why_key = key;
    return ERR_RANGE;
}

/* Attributes in the order of their keys, so that colliding ones are joined in that order. */
static void key_order(const struct layout *l, int16_t *order)
{
    for (size_t i = 0; i < l->n_keys; i++) {
        size_t k = i;
        for (; k > 0 && str_cmp(l->keys[i], l->keys[order[k - 1]]) < 0; k--) order[k] = order[k - 1];
        order[k] = (int16_t)i;
    }
}

static int draft_attrs(struct otlp_series *s, struct layout *l, struct draft *d)
{
    int16_t order[LABELS_MAX];
    key_order(l, order);
    for (size_t k = 0; k < l->n_keys; k++) {
        int16_t i = order[k];
        struct str name;
        if (otlp_series_label(s, l->keys[i], &name, NULL) < 0)
            return fault(l, REJECT_labels, "no usable label name", l->keys[i]);
        if (!str_utf8_valid(name)) return fault(l, REJECT_utf8, "the label name is not valid UTF-8", STR(""));
        if (name.n > MIN(s->limits->name_bytes, LABEL_NAME_MAX))
            return fault(l, REJECT_label_limit, "the label name is too long",
                         str_make(name.p, MIN(name.n, (size_t)80)));
        struct part *same = draft_find(d, name);
        l->joined[i] = NOT_JOINED;
        if (same == NULL) {
            d->part[d->n++] = (struct part){ name, STR(""), i };
            d->last_joined[i] = i;
        } else {
            l->any_joined = true;
            l->joined[d->last_joined[same->attr]] = i;
            d->last_joined[same->attr] = i;
        }
    }
    return OK;
}

static void draft_constants(const struct otlp_series *s, struct draft *d, enum otlp_extra extra)
{
    for (size_t i = 0; i < s->n_weak; i++)
        if (draft_find(d, s->weak[i].name) == NULL)
            draft_set(d, s->weak[i].name, s->weak[i].value, SLOT_CONST);
    for (size_t i = 0; i < s->n_strong; i++) draft_set(d, s->strong[i].name, s->strong[i].value, SLOT_CONST);
    draft_set(d, STR(LABEL_NAME), STR(""), SLOT_NAME);
    if (extra != OTLP_NO_EXTRA)
        draft_set(d, extra == OTLP_LE ? STR("le") : STR("quantile"), STR(""), SLOT_EXTRA);
}

static void draft_sort(struct draft *d)
{
    for (size_t i = 1; i < d->n; i++) {
        struct part moving = d->part[i];
        size_t k = i;
        for (; k > 0 && str_cmp(moving.name, d->part[k - 1].name) < 0; k--) d->part[k] = d->part[k - 1];
        d->part[k] = moving;
    }
}

static char *put_varint(char *to, size_t v)
{
    for (; v >= 0x80; v >>= 7) *to++ = (char)(v | 0x80);
    *to++ = (char)v;
    return to;
}

static char *put_run(char *to, struct str s)
{
    to = put_varint(to, s.n);
    if (s.n > 0) memcpy(to, s.p, s.n);
    return to + s.n;
}

/* Constant pairs are gathered in front of the next name, so that packing copies few and long runs. */
static void layout_finish(struct layout *l, struct draft *d, struct arena *a)
{
    size_t most = 0;
    draft_sort(d);
    for (size_t i = 0; i < d->n; i++) most += d->part[i].name.n + d->part[i].value.n + 20;
    char *to = arena_alloc(a, most), *from = to;

    l->slots = arena_array(a, d->n + 1, sizeof *l->slots);
    for (size_t i = 0; i < d->n; i++) {
        const struct part *p = &d->part[i];
        if (p->attr == SLOT_CONST) {
            if (p->value.n > 0) to = put_run(put_run(to, p->name), p->value);
            continue;
        }
        char *name = to;
        to = put_run(to, p->name);
        l->slots[l->n_slots++] =
            (struct slot){ str_make(from, (size_t)(to - from)), (size_t)(name - from), p->attr };
        from = to;
    }
    l->slots[l->n_slots++] =
        (struct slot){ str_make(from, (size_t)(to - from)), (size_t)(to - from), SLOT_CONST };
    l->size = most + 10 * d->n; /* and the lengths of the values */
}

static void layout_make(struct otlp_series *s, struct layout *l, enum otlp_extra extra)
{
    const struct otlp_attrs *attrs = s->attrs;
    struct draft d = { .n = 0 };

    *l = (struct layout){ .generation = s->generation, .n_keys = attrs->n, .extra = extra };
    l->keys = arena_array(s->arena, attrs->n, sizeof *l->keys);
    l->joined = arena_array(s->arena, attrs->n, sizeof *l->joined);
    for (size_t i = 0; i < attrs->n; i++) l->keys[i] = attrs->at[i].key;
    if (draft_attrs(s, l, &d) < 0) return;
    draft_constants(s, &d, extra);
    if (d.n > MIN(s->limits->labels, LABELS_MAX - 1) +
                  (extra != OTLP_NO_EXTRA)) { /* so that all series of a point fare alike */
        fault(l, REJECT_label_limit, "too many labels", STR(""));
        return;
    }
    layout_finish(l, &d, s->arena);
}

/* ---- finding one ---- */

static bool layout_fits(const struct layout *l, const struct otlp_series *s, enum otlp_extra extra)
{
    if (l->generation != s->generation || l->extra != extra || l->n_keys != s->attrs->n) return false;
    for (size_t i = 0; i < l->n_keys; i++)
        if (!str_eq(l->keys[i], s->attrs->at[i].key)) return false;
    return true;
}

/* Lengths and last letters tell sets of keys apart well enough for a cache. */
static struct layout *layout_place(const struct otlp_series *s, enum otlp_extra extra)
{
    uint64_t h = (uint64_t)extra + 1;
    for (size_t i = 0; i < s->attrs->n; i++) {
        struct str key = s->attrs->at[i].key;
        h = (h ^ key.n ^ (key.n > 0 ? (uint64_t)(unsigned char)key.p[key.n - 1] << 8 : 0)) *
            0x9e3779b97f4a7c15u;
    }
    return &s->layouts[h >> 32 & (LAYOUTS - 1)];
}

static const struct layout *layout_of(struct otlp_series *s, enum otlp_extra extra)
{
    struct layout *l = s->last[extra];
    if (s->at[extra] != NULL) return s->at[extra];
    if (l == NULL || !layout_fits(l, s, extra)) {
        l = layout_place(s, extra);
        if (!layout_fits(l, s, extra)) layout_make(s, l, extra);
        s->last[extra] = l;
    }
    return s->at[extra] = l;
}

/* ---- points ---- */

/* Of attribute i and those joined to it, with ';' between; values that are empty say nothing. */
static size_t joined_size(const struct otlp_series *s, const struct layout *l, int i)
{
    size_t n = 0;
    for (; i != NOT_JOINED; i = l->joined[i]) {
        size_t more = s->attrs->at[i].value.n;
        if (more > 0) n += more + (n > 0);
    }
    return n;
}

static int value_fault(const struct otlp_series *s, const struct otlp_attr *a, enum reject *reason,
                       struct err *e)
{
    struct str key = str_make(a->key.p, MIN(a->key.n, (size_t)80));
    if (!str_utf8_valid(key)) key = STR("?");
    if (a->value.n > MIN(s->limits->value_bytes, LABEL_VALUE_MAX)) {
        *reason = REJECT_label_limit;
        return err_set(e, ERR_RANGE,
                       "attribute \"%.*s\": a value of %zu bytes is longer than the limit of %u",
                       STR_ARG(key), a->value.n, MIN(s->limits->value_bytes, LABEL_VALUE_MAX));
    }
    *reason = REJECT_utf8;
    return err_set(e, ERR_RANGE, "attribute \"%.*s\": the value is not valid UTF-8", STR_ARG(key));
}

#define HIGH_BITS 0x8080808080808080u

/* UTF-8, with a short way for the ASCII that nearly all values are: eight bytes a step, the last ones
 * overlapping. */
static inline bool is_utf8(struct str s)
{
    uint64_t eight, all = 0;
    uint32_t four[2];
    if (s.n >= 8) {
        for (size_t i = 0; i + 8 <= s.n; i += 8) {
            memcpy(&eight, s.p + i, 8);
            all |= eight;
        }
        memcpy(&eight, s.p + s.n - 8, 8);
        all |= eight;
    } else if (s.n >= 4) {
        memcpy(&four[0], s.p, 4);
        memcpy(&four[1], s.p + s.n - 4, 4);
        all = four[0] | four[1];
    } else {
        for (size_t i = 0; i < s.n; i++) all |= (unsigned char)s.p[i];
    }
    return (all & HIGH_BITS) == 0 || str_utf8_valid(s);
}

static int layout_check(const struct otlp_series *s, const struct layout *l, enum reject *reason,
                        struct err *e)
{
    uint32_t longest = MIN(s->limits->value_bytes, LABEL_VALUE_MAX);
    *reason = l->rc < 0 ? l->reason : REJECT_label_limit;
    if (UNLIKELY(l->rc < 0)) {
        if (l->why_key.n == 0 || !str_utf8_valid(l->why_key)) return err_set(e, ERR_RANGE, "%s", l->why);
        return err_set(e, ERR_RANGE, "attribute \"%.*s\": %s", (int)MIN(l->why_key.n, (size_t)80),
                       l->why_key.p, l->why);
    }
    for (size_t i = 0; UNLIKELY(l->any_joined) && i < l->n_keys; i++)
        if (joined_size(s, l, (int)i) > longest)
            return err_set(e, ERR_RANGE,
                           "attributes that share one label name are together longer than the limit of %u",
                           longest);
    return OK;
}

int otlp_series_point(struct otlp_series *s, const struct otlp_attrs *attrs, enum reject *reason,
                      struct err *e)
{
    uint32_t longest = MIN(s->limits->value_bytes, LABEL_VALUE_MAX);

    s->attrs = attrs;
    s->values_size = attrs->n;
    memset(s->at, 0, sizeof s->at);
    if (UNLIKELY(attrs->n > MIN(s->limits->labels, LABELS_MAX))) {
        *reason = REJECT_label_limit;
        return err_set(e, ERR_RANGE, "%zu attributes are more than the limit of %u labels", attrs->n,
                       MIN(s->limits->labels, LABELS_MAX));
    }
    for (size_t i = 0; i < attrs->n; i++) {
        const struct otlp_attr *a = &attrs->at[i];
        if (UNLIKELY(a->value.n > longest || !is_utf8(a->value))) return value_fault(s, a, reason, e);
        s->values_size += a->value.n;
    }
    return layout_check(s, layout_of(s, OTLP_NO_EXTRA), reason, e);
}

/* ---- packing ---- */

static char *put_joined(char *to, const struct otlp_series *s, const struct layout *l, int i)
{
    bool first = true;
    for (; i != NOT_JOINED; i = l->joined[i]) {
        struct str v = s->attrs->at[i].value;
        if (v.n == 0) continue;
        if (!first) *to++ = ';';
        memcpy(to, v.p, v.n);
        to += v.n;
        first = false;
    }
    return to;
}

static char *put_attr(char *to, const struct otlp_series *s, const struct layout *l, const struct slot *slot)
{
    struct str v = s->attrs->at[slot->attr].value;
    size_t n = UNLIKELY(l->any_joined) ? joined_size(s, l, slot->attr) : v.n;

    memcpy(to, slot->packed.p, slot->packed.n);
    if (n == 0) return to + slot->n_pairs; /* no value, no name */
    to = put_varint(to + slot->packed.n, n);
    if (UNLIKELY(l->any_joined)) return put_joined(to, s, l, slot->attr);
    memcpy(to, v.p, n);
    return to + n;
}

static char *put_value(char *to, const struct slot *slot, struct str value, struct str suffix)
{
    memcpy(to, slot->packed.p, slot->packed.n);
    if (value.n + suffix.n == 0) return to + slot->n_pairs;
    to = put_varint(to + slot->packed.n, value.n + suffix.n);
    memcpy(to, value.p, value.n);
    if (suffix.n > 0) memcpy(to + value.n, suffix.p, suffix.n);
    return to + value.n + suffix.n;
}

struct str otlp_series_pack(struct otlp_series *s, struct str metric, struct str suffix,
                            enum otlp_extra extra, struct str extra_value)
{
    const struct layout *l = layout_of(s, extra);
    char *bytes = arena_alloc(s->arena, l->size + s->values_size + metric.n + suffix.n + extra_value.n),
         *to = bytes;

    for (size_t i = 0; i < l->n_slots; i++) {
        const struct slot *slot = &l->slots[i];
        switch (slot->attr) {
        case SLOT_CONST:
            memcpy(to, slot->packed.p, slot->packed.n);
            to += slot->packed.n;
            break;
        case SLOT_NAME: to = put_value(to, slot, metric, suffix); break;
        case SLOT_EXTRA: to = put_value(to, slot, extra_value, STR("")); break;
        default: to = put_attr(to, s, l, slot);
        }
    }
    return str_make(bytes, (size_t)(to - bytes));
}
