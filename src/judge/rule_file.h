/* rule_file.h - a rule file read and checked: groups of recording and alerting rules, in Prometheus' form.
 *
 * Strict: a key nobody knows, an expression that does not parse, a template that does not either are errors
 * that say where: `rules.yml:12: groups[0].rules[2]: ...`. A file is taken whole or not at all, and never
 * changes afterwards; groups that run share it by reference. Errors need no file: the texts are copied.
 *
 * Rules speak PromQL. A file, a group or a single rule may say `type: log`: then its expressions are LogQL,
 * as in the files of Loki's ruler. */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "model/labels.h"
#include "query/template.h"

#define RULE_FILE_BYTES_MAX (16u << 20)
#define RULE_GROUPS_MAX     20000
#define RULES_IN_GROUP_MAX  50000

enum rule_lang { RULE_PROMQL, RULE_LOGQL };

struct rule_text { /* a label or an annotation of a rule */
    struct str name, text;
    const struct template *filled; /* NULL: the text as it stands */
};

struct rule_texts { /* sorted by name */
    struct rule_text *at;
    size_t n;
};

struct rule_spec {
    bool is_alert;
    enum rule_lang lang;
    struct str name;                /* of the alert, or of the series that is recorded */
    struct str expr;                /* as the language prints it */
    struct rule_texts labels;       /* the group's among them */
    struct rule_texts annotations;  /* of alerts */
    int64_t for_ms, keep_firing_ms; /* of alerts */
    int line;
};

struct rule_group_spec {
    struct str name;
    int64_t interval_ms; /* 0: the server's */
    uint64_t limit;      /* of series or alerts of one rule; 0 = none */
    bool has_offset;
    int64_t offset_ms; /* of queries, when given */
    struct rule_spec *rules;
    size_t n_rules;
    struct hash128 identity; /* of everything above: equal means unchanged */
    int line;
};

struct rule_file {
    struct arena arena;
    atomic_int refs;
    struct str name;
    struct rule_group_spec *groups;
    size_t n_groups;
    struct template **templates; /* of all its texts, equal ones once */
    size_t n_templates, cap_templates;
};

/* `name` stands in errors and in the API. */
int rule_file_parse(struct str text, const char *name, enum rule_lang, struct rule_file **out, struct err *);
int rule_file_load(const char *path, enum rule_lang, struct rule_file **out, struct err *);
struct rule_file *rule_file_ref(struct rule_file *);
void rule_file_free(struct rule_file *); /* gives one reference back; NULL is fine */
