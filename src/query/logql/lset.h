/* lset.h - the labels of one line while it goes through the pipeline: the stream's, those of structured
 * metadata, those that parsers found. Values are borrowed: they live as long as the line does. */
#pragma once
#include "model/labels.h"

#define ERROR_LABEL   "__error__"
#define DETAILS_LABEL "__error_details__"

enum label_kind { LABEL_STREAM = 1, LABEL_STRUCTURED = 2, LABEL_PARSED = 4, LABEL_ANY = 7 };

struct lset_entry {
    struct str name, value;
    enum label_kind kind;
    unsigned stage; /* which set it last */
};

struct lset {
    struct lset_entry *at; /* in no order, names unique */
    size_t n, cap;
    bool has_error;
};

void lset_release(struct lset *);
void lset_begin(struct lset *, struct labels stream);
const struct lset_entry *lset_find(const struct lset *, struct str name);
struct str lset_get(const struct lset *, struct str name); /* empty when absent */
void lset_set(struct lset *, struct str name, struct str value, enum label_kind, unsigned stage);
void lset_drop(struct lset *, struct str name);
/* A structured label; a stream's label of that name stays. */
void lset_add_structured(struct lset *, struct str name, struct str value);
/* What a parser has found. A name of the stream's or of metadata gets _extracted; of equal names found by one
 * stage the first stays. */
void lset_extract(struct lset *, struct str name, struct str value, unsigned stage, struct arena *);
void lset_error(struct lset *, const char *kind, struct str details);

/* Those of the kinds asked for, sorted, without empty ones; strings are copied when `copies`. */
struct labels lset_labels(const struct lset *, unsigned kinds, struct arena *, bool copies);

/* The name as a label: bytes outside [A-Za-z0-9_] as `_`, and one in front of a digit. */
struct str label_sanitised(struct str name, struct arena *);
