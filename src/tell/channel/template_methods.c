/* template_methods.c - sets of labels, their pairs and lists of alerts as templates see them. */
#include "base/check.h"
#include "model/labels.h"
#include "tell/channel/template_functions.h"

static struct tvalue list_of(const struct tvalue *at, size_t n, const struct tmethods *methods)
{
    return (struct tvalue){ .type = TV_LIST, .list = { at, n, methods } };
}

static const struct tvalue *entry_of(struct tvalue map, const char *key)
{
    for (size_t i = 0; i < map.map.n; i++)
        if (str_is(map.map.at[i].key, key)) return &map.map.at[i].value;
    return NULL;
}

static int no_args(struct template_call *c)
{
    return c->n == 0 ? OK : tf_fail(c, "wrong number of args: want 0 got %zu", c->n);
}

/* ---- pairs: a list of {Name, Value} ---- */

static int pairs_call(struct template_call *c, struct tvalue self, struct str name, struct tvalue *out)
{
    bool names = str_is(name, "Names");
    if (!names && !str_is(name, "Values")) return ERR_FIND;
    struct tvalue *texts = arena_array(c->arena, self.list.n + 1, sizeof *texts);
    for (size_t i = 0; i < self.list.n; i++) texts[i] = self.list.at[i].map.at[names ? 0 : 1].value;
    *out = list_of(texts, self.list.n, NULL);
    return no_args(c);
}

static void pairs_print(struct buf *out, struct tvalue self)
{
    for (size_t i = 0; i < self.list.n; i++) {
        const struct tentry *pair = self.list.at[i].map.at;
        buf_printf(out, "%s%.*s=%.*s", i ? ", " : "", STR_ARG(pair[0].value.s), STR_ARG(pair[1].value.s));
    }
}

static const struct tmethods pairs_methods = { pairs_call, pairs_print, false };

/* ---- sets of labels: a map ---- */

static struct tvalue pair_of(const struct tentry *from, struct arena *a)
{
    struct tentry *pair = arena_array(a, 2, sizeof *pair);
    pair[0] = (struct tentry){ STR("Name"), tv_str(from->key) };
    pair[1] = (struct tentry){ STR("Value"), from->value };
    return (struct tvalue){ .type = TV_MAP, .map = { pair, 2, NULL } };
}

/* By name, alertname first. */
static struct tvalue sorted_pairs(struct tvalue set, struct arena *a)
{
    struct tvalue *pairs = arena_array(a, set.map.n + 1, sizeof *pairs);
    size_t n = 0;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < set.map.n; i++)
            if (str_is(set.map.at[i].key, "alertname") == (round == 0))
                pairs[n++] = pair_of(&set.map.at[i], a);
    return list_of(pairs, n, &pairs_methods);
}

static bool is_among(struct str name, struct tvalue list)
{
    for (size_t i = 0; i < list.list.n; i++)
        if (list.list.at[i].type == TV_STR && str_eq(list.list.at[i].s, name)) return true;
    return false;
}

static int set_remove(struct template_call *c, struct tvalue set, struct tvalue *out)
{
    if (c->n != 1 || c->args[0].type != TV_LIST) return tf_fail(c, "expected a list of names");
    struct tentry *kept = arena_array(c->arena, set.map.n + 1, sizeof *kept);
    size_t n = 0;
    for (size_t i = 0; i < set.map.n; i++)
        if (!is_among(set.map.at[i].key, c->args[0])) kept[n++] = set.map.at[i];
    *out = (struct tvalue){ .type = TV_MAP, .map = { kept, n, set.map.methods } };
    return OK;
}

static int set_call(struct template_call *c, struct tvalue set, struct str name, struct tvalue *out)
{
    if (str_is(name, "Remove")) return set_remove(c, set, out);
    if (str_is(name, "Names") || str_is(name, "Values"))
        return pairs_call(c, sorted_pairs(set, c->arena), name, out);
    bool text = str_is(name, "String");
    if (!text && !str_is(name, "SortedPairs")) return ERR_FIND;
    *out = sorted_pairs(set, c->arena);
    if (text) *out = tv_str(tv_text(*out, c->arena));
    return no_args(c);
}

static void set_print(struct buf *out, struct tvalue set)
{
    struct arena scratch = ARENA_INIT(TEMPLATE_MADE_MAX);
    pairs_print(out, sorted_pairs(set, &scratch));
    arena_release(&scratch);
}

static const struct tmethods set_methods = { set_call, set_print, true };

struct tvalue notify_labels_value(struct labels l, struct arena *a)
{
    struct tentry *entries = arena_array(a, l.n + 1, sizeof *entries);
    for (size_t i = 0; i < l.n; i++) entries[i] = (struct tentry){ l.at[i].name, tv_str(l.at[i].value) };
    return (struct tvalue){ .type = TV_MAP, .map = { entries, l.n, &set_methods } };
}

/* ---- alerts ---- */

static int struct_call(struct template_call *c, struct tvalue self, struct str name, struct tvalue *out)
{
    for (size_t i = 0; i < self.map.n; i++) {
        if (!str_eq(self.map.at[i].key, name)) continue;
        *out = self.map.at[i].value;
        return no_args(c);
    }
    return tf_fail(c, "there is no field %.*s", STR_ARG(name));
}

static const struct tmethods struct_methods = { struct_call, NULL, false };

struct tvalue notify_struct_value(const struct tentry *entries, size_t n)
{
    return (struct tvalue){ .type = TV_MAP, .map = { entries, n, &struct_methods } };
}

bool notify_is_struct(struct tvalue v)
{
    return v.type == TV_MAP && v.map.methods == &struct_methods;
}

static int alerts_call(struct template_call *c, struct tvalue self, struct str name, struct tvalue *out)
{
    bool firing = str_is(name, "Firing");
    if (!firing && !str_is(name, "Resolved")) return ERR_FIND;
    struct tvalue *kept = arena_array(c->arena, self.list.n + 1, sizeof *kept);
    size_t n = 0;
    for (size_t i = 0; i < self.list.n; i++) {
        const struct tvalue *status = entry_of(self.list.at[i], "Status");
        if (status != NULL && str_is(status->s, firing ? "firing" : "resolved")) kept[n++] = self.list.at[i];
    }
    *out = list_of(kept, n, self.list.methods);
    return no_args(c);
}

static const struct tmethods alerts_methods = { alerts_call, NULL, false };

struct tvalue notify_alerts_value(const struct tvalue *alerts, size_t n)
{
    return list_of(alerts, n, &alerts_methods);
}
