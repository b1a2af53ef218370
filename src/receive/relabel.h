/* relabel.h - relabel_configs: rules that rewrite, keep or drop a set of labels, one after the other.
 *
 * A set is an array of pairs in any order with unique names; a label with an empty value does not exist. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/yaml.h"
#include "model/labels.h"

struct relabel_rule;

struct relabel {
    struct relabel_rule *rules;
    size_t n;
};

struct label_set {
    struct label *at;
    size_t n, cap;
    struct arena *arena; /* of the array and of new texts */
};

struct str label_set_get(const struct label_set *, struct str name); /* empty when absent */
void label_set_put(struct label_set *, struct str name,
                   struct str value); /* empty value: removes. Texts are borrowed */

/* A list of rules in Prometheus' form. `file` goes into error texts. list NULL: no rules. Memory and texts
 * are the arena's, the regexes live until relabel_release. */
int relabel_parse(struct yaml *list, const char *file, struct arena *, struct relabel *out, struct err *);
void relabel_release(struct relabel *);
void relabel_print(const struct relabel *, const char *indent, struct buf *out); /* YAML list items */

/* False: the set is dropped (and is then of no use). */
bool relabel_apply(const struct relabel *, struct label_set *);
